%% The same measurements on the supervisor of OTP: one term a line in (`{crash, 1000, 500}.`), one number a line out.
-module(supervisor_bench).
-behaviour(gen_server).
-export([main/0, start_child/2, init/1, handle_call/3, handle_cast/2]).

main() ->
    process_flag(trap_exit, true),
    ok = logger:set_primary_config(level, none),
    io:setopts([binary]),
    serve().

serve() ->
    case io:get_line("") of
        Line when is_binary(Line) ->
            {ok, Tokens, _} = erl_scan:string(binary_to_list(Line)),
            {ok, Ask} = erl_parse:parse_term(Tokens),
            io:format("~w~n", [measure(Ask)]),
            serve();
        _ -> halt(0)
    end.

%% Microseconds for each, or bytes for each.
measure({start, N}) ->
    Sup = supervisor(),
    Us = timed(fun() -> fill(Sup, N) end),
    stop(Sup),
    Us / N;
measure({crash, Siblings, K}) ->
    Sup = supervisor(),
    settled(Sup, Siblings),
    Pid = add(Sup, victim),
    Us = timed(fun() -> crash(Pid, K) end),
    stop(Sup),
    Us / K;
measure({cycle, Siblings, K}) ->
    Sup = supervisor(),
    settled(Sup, Siblings),
    Us = timed(fun() -> cycle(Sup, K) end),
    stop(Sup),
    Us / K;
measure({stop, N}) ->
    Sup = supervisor(),
    fill(Sup, N),
    timed(fun() -> stop(Sup) end) / N;
measure({bytes, N}) ->
    Sup = supervisor(),
    Before = memory(),
    fill(Sup, N),
    Bytes = memory() - Before,
    stop(Sup),
    Bytes / N;
measure({slope, K}) ->
    Sup = supervisor(),
    Pid = add(Sup, victim),
    Settled = crash(Pid, 1000),
    timer:sleep(1100),
    Warm = crash(Settled, 1),
    Before = memory(),
    Last = crash(Warm, K),
    timer:sleep(1100),
    _ = crash(Last, 1),
    Bytes = memory() - Before,
    stop(Sup),
    Bytes / K.

memory() ->
    collect(),
    erlang:memory(total).

collect() -> [erlang:garbage_collect(P) || P <- processes()].

%% What the siblings' starts left for the collector is not the price of what comes after.
settled(Sup, N) ->
    fill(Sup, N),
    collect().

timed(Fun) ->
    Start = erlang:monotonic_time(nanosecond),
    Fun(),
    (erlang:monotonic_time(nanosecond) - Start) / 1000.

supervisor() ->
    {ok, Sup} = supervisor:start_link(?MODULE, supervisor),
    Sup.

stop(Sup) ->
    exit(Sup, shutdown),
    receive {'EXIT', Sup, _} -> ok end.

fill(_, 0) -> ok;
fill(Sup, N) -> _ = add(Sup, N), fill(Sup, N - 1).

add(Sup, Id) ->
    {ok, Pid} = supervisor:start_child(Sup, #{id => Id, start => {?MODULE, start_child, [self(), Id]}, modules => []}),
    receive {up, Id, Pid} -> Pid end.

crash(Pid, 0) -> Pid;
crash(Pid, K) ->
    gen_server:cast(Pid, crash),
    receive {up, victim, New} -> pong = gen_server:call(New, ping), crash(New, K - 1) end.

cycle(_, 0) -> ok;
cycle(Sup, K) ->
    Guest = {guest, K},
    _ = add(Sup, Guest),
    ok = supervisor:terminate_child(Sup, Guest),
    ok = supervisor:delete_child(Sup, Guest),
    cycle(Sup, K - 1).

start_child(Bench, Id) -> gen_server:start_link(?MODULE, {child, Bench, Id}, []).

init(supervisor) -> {ok, {#{strategy => one_for_one, intensity => 10000000, period => 1}, []}};
init({child, Bench, Id}) ->
    process_flag(trap_exit, true),
    Bench ! {up, Id, self()},
    {ok, idle}.

handle_call(ping, _From, State) -> {reply, pong, State}.
handle_cast(crash, _State) -> exit(crash).
