%% Runs scripts against the real `supervisor` and prints what happened: one script (an Erlang term) a line in, one line
%% out. Steps are separated by tabs, the events of a step by semicolons; script.ts says what an event looks like.
-module(driver).
-export([main/0, start_leaf/2, start_sup/2, init/1, log/2]).

main() ->
    process_flag(trap_exit, true),
    io:setopts([binary, {encoding, latin1}]),
    _ = logger:remove_handler(default),
    ok = logger:set_primary_config(level, info),
    ok = logger:add_handler(driver, driver, #{}),
    [ets:new(T, [named_table, public, Type]) || {T, Type} <- [{pids, set}, {attempts, set}, {fails, bag}]],
    register(collector, spawn(fun() -> collect([], 0, #{}) end)),
    serve().

serve() ->
    case io:get_line("") of
        Line when is_binary(Line) ->
            {ok, Tokens, _} = erl_scan:string(binary_to_list(Line)),
            {ok, Script} = erl_parse:parse_term(Tokens),
            io:put_chars([run(Script), $\n]),
            serve();
        _ ->
            halt(0)
    end.

run({script, Fails, Tree, Ops}) ->
    [ets:delete_all_objects(T) || T <- [pids, attempts, fails]],
    [ets:insert(fails, {Path, From, Times}) || {Path, From, Times} <- Fails],
    take(),
    Booted = start_sup([root], Tree),
    lists:join($\t, [step(<<"boot">>) | steps(Booted, Ops)]).

steps({error, _}, _) -> [];
steps({ok, _}, []) -> [];
steps({ok, Root} = Booted, [Op | Ops]) ->
    case is_process_alive(Root) of
        true ->
            Answer = op(Op, Root),
            [step(Answer) | steps(Booted, Ops)];
        false ->
            []
    end.

step(Answer) ->
    State = quiesce(),
    lists:join($;, [Answer | take()] ++ State).

op(stop, Root) ->
    exit(Root, shutdown),
    receive {'EXIT', Root, _} -> <<"ok">> end;
op({exit, Path, Reason}, _) ->
    case alive(Path) of
        false -> <<"noproc">>;
        Pid ->
            Mon = monitor(process, Pid),
            Pid ! {finish, Reason},
            receive {'DOWN', Mon, process, Pid, _} -> <<"ok">> end
    end;
op({start, Path, Spec}, _) ->
    admin(Path, fun(Pid) -> supervisor:start_child(Pid, child_spec(Path, Spec)) end);
op({terminate, Path, Id}, _) -> admin(Path, fun(Pid) -> supervisor:terminate_child(Pid, Id) end);
op({restart, Path, Id}, _) -> admin(Path, fun(Pid) -> supervisor:restart_child(Pid, Id) end);
op({delete, Path, Id}, _) -> admin(Path, fun(Pid) -> supervisor:delete_child(Pid, Id) end).

admin(Path, Ask) ->
    case alive(Path) of
        false -> <<"noproc">>;
        Pid ->
            case Ask(Pid) of
                ok -> <<"ok">>;
                {ok, _} -> <<"ok">>;
                {error, {already_started, _}} -> <<"already_started">>;
                {error, Reason} when is_atom(Reason), Reason =/= refused -> atom_to_binary(Reason);
                {error, _} -> <<"start_failed">>
            end
    end.

alive(Path) ->
    case ets:lookup(pids, Path) of
        [{_, Pid}] -> is_process_alive(Pid) andalso Pid;
        [] -> false
    end.

%% Asks every supervisor of the tree until nothing moves: nobody restarting, nobody dead in a list, no event meanwhile.
quiesce() ->
    Before = count(),
    try probe([root]) of
        State ->
            case count() of
                Before -> State;
                _ -> quiesce()
            end
    catch
        _:_ -> erlang:yield(), quiesce()
    end.

probe(Path) ->
    case alive(Path) of
        false when Path =:= [root] -> [<<"gone">>];
        false -> throw(again);
        Pid -> lists:append([probe(Path ++ [Id], Child) || {Id, Child, _, _} <- lists:reverse(supervisor:which_children(Pid))])
    end.

probe(_, restarting) -> throw(again);
probe(Path, undefined) -> [[<<"has ">>, show(Path), <<" down">>]];
probe(Path, Pid) ->
    is_process_alive(Pid) orelse throw(again),
    Line = [<<"has ">>, show(Path), <<" up">>],
    case ets:lookup(pids, {kind, Path}) of
        [{_, sup}] -> [Line | probe(Path)];
        _ -> [Line]
    end.

child_spec(Parent, Spec) ->
    Kind = element(1, Spec),
    {Id, Restart, Shutdown, Significant} = {element(2, Spec), element(3, Spec), element(4, Spec), element(5, Spec)},
    Path = Parent ++ [Id],
    {Start, Type} = case Kind of leaf -> {start_leaf, worker}; sup -> {start_sup, supervisor} end,
    #{id => Id, start => {driver, Start, [Path, Spec]}, restart => Restart, shutdown => Shutdown,
      significant => Significant, type => Type, modules => []}.

%% The n-th start of a path may be told to fail.
attempt(Path, Kind) ->
    N = ets:update_counter(attempts, Path, 1, {Path, 0}),
    ets:insert(pids, {{kind, Path}, Kind}),
    case [F || {_, From, Times} = F <- ets:lookup(fails, Path), N >= From, N < From + Times] of
        [] -> true;
        _ ->
            collector ! {event, [<<"refuse ">>, show(Path)]},
            false
    end.

start_leaf(Path, {leaf, _, _, _, _, Answer}) ->
    case attempt(Path, leaf) of
        false -> {error, refused};
        true ->
            Parent = self(),
            Pid = spawn_link(fun() ->
                process_flag(trap_exit, true),
                up(Path),
                Parent ! {ready, self()},
                leaf(Path, Parent, Answer)
            end),
            receive {ready, Pid} -> {ok, Pid} end
    end.

leaf(Path, Parent, Answer) ->
    receive
        {finish, Reason} -> exit(Reason);
        {'EXIT', Parent, _} when Answer =:= hang -> leaf(Path, Parent, Answer);
        {'EXIT', Parent, _} when is_tuple(Answer) -> take(Path, Answer), exit(shutdown);
        {'EXIT', Parent, _} -> exit(Answer)
    end.

take(Path, {takes, Id, Reason}) -> op({exit, lists:droplast(Path) ++ [Id], Reason}, self()).

start_sup(Path, Spec) ->
    case attempt(Path, sup) of
        false -> {error, refused};
        true -> supervisor:start_link(driver, {Path, Spec})
    end.

init({Path, {sup, _, _, _, _, Strategy, Intensity, Auto, Children}}) ->
    put(path, Path),
    up(Path),
    {ok, {#{strategy => Strategy, intensity => Intensity, period => 3600, auto_shutdown => Auto},
          [child_spec(Path, Child) || Child <- Children]}}.

up(Path) ->
    ets:insert(pids, {Path, self()}),
    collector ! {up, self(), Path},
    receive {collector, seen} -> ok end.

%% The logger's handler; called in the supervisor's own process, so its order is the supervisor's.
log(#{msg := {report, #{label := {supervisor, Kind}, report := Report}}}, _) ->
    case get(path) of
        undefined -> ok;
        Path -> collector ! {event, report(Path, Kind, Report)}
    end,
    ok;
log(_, _) -> ok.

report(Path, progress, Report) ->
    Child = proplists:get_value(started, Report),
    line(Path, Child, <<"progress">>);
report(Path, child_terminated, Report) ->
    line(Path, offender(Report), [<<"child_terminated ">>, reason(proplists:get_value(reason, Report))]);
report(Path, shutdown_error, Report) ->
    line(Path, offender(Report), [<<"shutdown_error ">>, reason(proplists:get_value(reason, Report))]);
report(Path, Kind, Report) ->
    line(Path, offender(Report), atom_to_binary(Kind)).

offender(Report) -> proplists:get_value(offender, Report).
line(Path, Child, Text) -> [<<"report ">>, show(Path), $\s, atom_to_binary(proplists:get_value(id, Child)), $\s, Text].

reason(Reason) when is_atom(Reason) -> atom_to_binary(Reason);
reason({shutdown, _}) -> <<"failed">>;
reason(_) -> <<"other">>.

show(Path) -> lists:join($/, [atom_to_binary(Id) || Id <- Path]).

collect(Events, Count, Monitors) ->
    receive
        {event, Event} -> collect([Event | Events], Count + 1, Monitors);
        {up, Pid, Path} ->
            Mon = monitor(process, Pid),
            Pid ! {collector, seen},
            collect([[<<"start ">>, show(Path)] | Events], Count + 1, Monitors#{Mon => Path});
        {'DOWN', Mon, process, _, Reason} ->
            {Path, Rest} = maps:take(Mon, Monitors),
            collect([[<<"end ">>, show(Path), $\s, reason(Reason)] | Events], Count + 1, Rest);
        {count, From} -> From ! {count, Count}, collect(Events, Count, Monitors);
        {take, From} -> From ! {events, lists:reverse(Events)}, collect([], Count, Monitors)
    end.

count() -> collector ! {count, self()}, receive {count, N} -> N end.
take() -> collector ! {take, self()}, receive {events, Events} -> Events end.
