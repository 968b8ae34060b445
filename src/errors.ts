/**
 * Every error coppice can show, in one table: code, severity, what failed (a template over `details`),
 * and what the reader can do about it. `docs/errors.md` is generated from it and a tidy test compares both.
 * Imports nothing, so that every room and every host may use it.
 */

export type Severity = 'debug' | 'info' | 'warn' | 'error' | 'fatal';

export interface ErrorRow {
  readonly severity: Severity;
  /** What failed. `{name}` is replaced by `details.name`. */
  readonly template: string;
  /** What to do about it, addressed to the reader. */
  readonly remedy: string;
  /** May the same request succeed later, unchanged? */
  readonly retryable?: boolean;
}

const rows = {
  // -- machines and supervision
  EFFECT_MISSING: {
    severity: 'error',
    template: 'the effect "{effect}" was not provided',
    remedy: 'Pass it through withEffects({ {effect}: ... }) of the machine that names it.',
  },
  SPEC_INVALID: {
    severity: 'error',
    template: 'child spec: {field} is {value}, expected {expected}',
    remedy: 'Correct that field of the child spec or supervisor spec.',
  },
  START_FAILED: {
    severity: 'error',
    template: '{path} could not start: {reason}',
    remedy: 'Read the cause; everything that was already started in front of it has been stopped again.',
  },
  KILLED: {
    severity: 'warn',
    template: '{path} was killed by {by}',
    remedy: 'Nothing: its supervisor starts the next incarnation.',
  },
  TURN_BUDGET_EXCEEDED: {
    severity: 'error',
    template: '{path} took {events} events in one turn of the event loop, more than {limit}',
    remedy:
      'Two actors send to each other without end, or one to itself: break the circle, or let it wait for a timer.',
  },
  INTENSITY_EXCEEDED: {
    severity: 'error',
    template: '{path} restarted more than {intensity} times in {periodMs} ms',
    remedy: 'Run `coppice explain {path}`: the last failure and its supervisor are named there.',
  },
  ACTOR_NOT_FOUND: {
    severity: 'error',
    template: 'there is no actor at {path}',
    remedy: 'Run `coppice tree` for the paths that exist.',
  },
  EVENT_INVALID: {
    severity: 'error',
    template: 'what was told to {path} is no event: its type is {type}',
    remedy: 'Tell it an object whose `type` is text.',
  },
  ACTOR_REFUSES: {
    severity: 'error',
    template: '{path} refuses {operation}: {reason}',
    remedy: 'Choose one of its children, or stop the gateway with `coppice stop`.',
  },
  // -- gateway
  OVERLOADED: {
    severity: 'warn',
    template: '{where} is full ({limit})',
    remedy: 'Try again after a moment.',
    retryable: true,
  },
  UNAVAILABLE: {
    severity: 'warn',
    template: '{what} is not available now: {reason}',
    remedy: 'Try again after a moment; `coppice status` says what is missing.',
    retryable: true,
  },
  DRAINING: {
    severity: 'warn',
    template: 'the gateway is draining and takes no new work',
    remedy: 'Try again after the restart.',
    retryable: true,
  },
  SESSION_QUARANTINED: {
    severity: 'error',
    template: 'session {sessionKey} is held down, by an operator or because it crashed again and again',
    remedy:
      'Run `coppice explain {sessionKey}` for the last failure. It is tried again by itself, or now with `coppice unpark {path}`. Messages it accepted are kept.',
  },
  // -- configuration
  CONFIG_INVALID: {
    severity: 'fatal',
    template: 'the configuration has {count} mistake(s):\n{problems}',
    remedy: 'Correct them; every key, its default and its variable are in docs/config.md.',
  },
  CONFIG_REFUSED: {
    severity: 'error',
    template: 'nothing was written: with that, {path} would make the configuration invalid:\n{reason}',
    remedy: 'Choose another key or value; `coppice config show` prints what is in force.',
  },
  CONFIG_CHANGED: {
    severity: 'error',
    template: 'nothing was written: {file} was changed by somebody else in the meantime',
    remedy: 'Run the command again; it reads the file anew.',
    retryable: true,
  },
  CONFIG_UNWRITABLE: {
    severity: 'error',
    template: '{file} cannot be written: {reason}',
    remedy: 'Make the file and its folder your own, or name another file with --config.',
  },
  CONFIG_PRESENT: {
    severity: 'error',
    template: 'nothing was written: {file} is there already',
    remedy: 'Move it away, or name another file with --config.',
  },
  // -- channels and schedule
  LEG_LOST: {
    severity: 'error',
    template: 'the {leg} leg of channel {channel} is lost after {attempts} attempts: {reason}',
    remedy:
      'Its supervisor tries again later; run `coppice explain gateway/core/edge/channels/{channel}` and check the credentials and the network of that channel.',
    retryable: true,
  },
  HOOK_NOT_FOUND: {
    severity: 'warn',
    template: 'there is no webhook channel "{name}"',
    remedy: 'Configure channels.{name} with type "webhook", or correct the address.',
  },
  HOOK_SIGNATURE: {
    severity: 'warn',
    template: 'the request to webhook channel {channel} is not signed by its secret: {reason}',
    remedy:
      'Send x-coppice-timestamp and x-coppice-signature: v1=HEX, where HEX is the HMAC-SHA256 of "TIMESTAMP.BODY" under channels.{channel}.secret.',
  },
  HOOK_STALE: {
    severity: 'warn',
    template: 'the request to webhook channel {channel} was signed {when}; its window is {windowMs} ms',
    remedy: 'Set the clocks of both machines, and sign each attempt anew.',
  },
  HOOK_TOO_LARGE: {
    severity: 'warn',
    template: 'the body is larger than the {maxBytes} bytes this webhook channel takes',
    remedy: 'Send less, or raise maxBodyBytes of that channel.',
  },
  HOOK_BODY: {
    severity: 'warn',
    template: 'the body for webhook channel {channel} is no message: {reason}',
    remedy: 'Send JSON { text, target?, sessionKey?, id? }, or text/plain.',
  },
  SCHEDULE_SILENT: {
    severity: 'error',
    template: 'the schedule gave no tick for {silenceMs} ms',
    remedy: 'Nothing: its supervisor starts it again. If it returns, something blocks the event loop.',
  },
  // -- command line
  NODE_TOO_OLD: {
    severity: 'fatal',
    template: 'coppice needs Node {needed} or newer; this is Node {found}',
    remedy: 'Install it from https://nodejs.org or with your version manager; in a clone, start through npm.',
  },
  USAGE: {
    severity: 'error',
    template: '{reason}',
    remedy: 'Run `coppice --help`, or the command with --help, for what it takes.',
  },
  PORT_IN_USE: {
    severity: 'fatal',
    template: '{address} is in use by {owner}',
    remedy: 'Stop that process, or choose another port with --port, COPPICE_PORT or gateway.port.',
  },
  BIND_FAILED: {
    severity: 'fatal',
    template: 'cannot listen on {address}: {reason}',
    remedy: 'Choose an address of this machine and a port you may use (gateway.bind, gateway.port).',
  },
  STATE_DIR_UNUSABLE: {
    severity: 'fatal',
    template: 'the state directory {dir} cannot be used: {reason}',
    remedy: 'Make it a directory you own and may write to, or choose another one with --state-dir.',
  },
  CRASH_LOOP: {
    severity: 'fatal',
    template: 'the gateway process ended uncleanly {count} times within {periodMs} ms',
    remedy: 'Read the log of the last life for the cause, then start coppice again.',
  },
  FAULT_BUDGET_SPENT: {
    severity: 'fatal',
    template: '{count} errors within {periodMs} ms had no owner',
    remedy:
      'The process was stopped, because it could not be trusted any more; the lines above name the errors.',
  },
  GATEWAY_NOT_RUNNING: {
    severity: 'error',
    template: 'no gateway is running on {where}',
    remedy: 'Start one with `coppice run`, or name another with --url or --state-dir.',
    retryable: true,
  },
  GATEWAY_UNREACHABLE: {
    severity: 'error',
    template: 'the gateway at {url} does not answer: {reason}',
    remedy: 'Check the address with `coppice status`; if its process is frozen, the launcher restarts it.',
    retryable: true,
  },
  NOT_PERMITTED: {
    severity: 'error',
    template: '{what} was not permitted: {reason}',
    remedy:
      'Pass the token of that gateway with --token or COPPICE_TOKEN; it lies in the file `token` of its state directory.',
  },
  REQUEST_REFUSED: {
    severity: 'error',
    template: 'the gateway refused {method}: {reason} ({refusal})',
    remedy: 'Read the reason; `coppice status` shows the condition of the gateway.',
  },
  REQUEST_TIMED_OUT: {
    severity: 'error',
    template: 'the gateway did not answer {method} within {waitMs} ms',
    remedy: 'Try again after a moment; `coppice status` shows the condition of the gateway.',
    retryable: true,
  },
  STOP_TIMED_OUT: {
    severity: 'error',
    template: 'the gateway process {pid} was told to stop and is still there after {waitMs} ms',
    remedy: 'Run `coppice stop` again for a fast stop, or wait: its launcher kills it at the stop deadline.',
    retryable: true,
  },
  RESTART_TIMED_OUT: {
    severity: 'error',
    template: 'the restart was asked for, and after {waitMs} ms the gateway is not back: {reason}',
    remedy:
      'Run `coppice status`. Without its launcher (`--no-launcher`) a gateway comes back only if its service manager starts it again.',
    retryable: true,
  },
  SESSION_NOT_FOUND: {
    severity: 'error',
    template: 'there is no session {sessionKey}',
    remedy: 'Run `coppice sessions ls` for those that exist.',
  },
  TURN_FAILED: {
    severity: 'error',
    template: 'the turn of session {sessionKey} ended with {status}: {reason}',
    remedy: 'Run `coppice explain {sessionKey}`, or send the message again.',
  },
  EVIDENCE_MISSING: {
    severity: 'error',
    template: 'the demonstration did not show what it promises: {missing}',
    remedy: 'Run it again; if it fails again, please report it with the lines above.',
  },
  // -- runs
  MODEL_FAILED: {
    severity: 'error',
    template: 'no model answered: {where} failed with {class} ({reason}); tried {tried}',
    remedy: '{advice}',
    retryable: true,
  },
  MODEL_NOT_CONFIGURED: {
    severity: 'error',
    template: 'agent {agentId} has no model to ask',
    remedy: 'Set agents.defaults.model.primary to PROVIDER/MODEL of a configured provider.',
  },
  MODEL_BUDGET: {
    severity: 'warn',
    template: 'the turn used all its {limit} model calls',
    remedy: 'Ask for a smaller step; the work done so far is in the transcript.',
  },
  TOOL_BUDGET: {
    severity: 'warn',
    template: 'the turn used all its {limit} tool calls and the model gave no final answer',
    remedy: 'Ask for a smaller step; the work done so far is in the transcript.',
  },
  RUN_DEADLINE: {
    severity: 'warn',
    template: 'the turn was not over at its deadline; it was {doing}',
    remedy: 'Raise agents.defaults.timeoutMs, or ask for less in one message.',
    retryable: true,
  },
  RUN_CRASHED: {
    severity: 'error',
    template: 'the turn crashed {crashes} times, the last time with: {reason}',
    remedy:
      'The session goes on with the next message; send this one again. The log names every crash as run.crashed.',
  },
  RUN_BROKEN: {
    severity: 'error',
    template: 'the turn broke while it was {doing}: {reason}',
    remedy:
      'Send the message again; if it comes back, look for this run in the log (logs/ in the state directory).',
  },
  CHECKPOINT_UNREADABLE: {
    severity: 'error',
    template: 'the checkpoint of run {runId} has version {version}; this release reads {expected}',
    remedy: 'Finish the turn with the release that wrote it, or reset the session.',
  },
  // -- host: threads and processes beside the event loop
  CHILD_PROCESS_SPAWN_FAILED: {
    severity: 'error',
    template: '{command} could not be started in {cwd}: {reason}',
    remedy: 'Check that the command is installed and executable, and that the folder exists.',
  },
  CHILD_PROCESS_EXITED: {
    severity: 'error',
    template: '{what} ended with {how}{last}',
    remedy:
      'Its supervisor starts it again. If it comes back, run the command by hand and read what it says.',
  },
  WORKER_THREAD_FAILED: {
    severity: 'error',
    template: 'the thread {what} failed: {reason}',
    remedy: 'Its supervisor starts it again. The cause holds the error and its stack.',
  },
  CHILD_INPUT_REFUSED: {
    severity: 'warn',
    template: '{what} did not get {input}: {reason}',
    remedy: 'Send it again when the child has caught up or lives again; nothing holds it until then.',
    retryable: true,
  },
  KILL_UNVERIFIED: {
    severity: 'error',
    template: '{what} was killed and is still there after {waitMs} ms',
    remedy:
      'Look at it with `ps`: it hangs in the kernel, or belongs to another user. No second one is started beside it.',
  },
  // -- models and tools
  PROVIDER_INVALID: {
    severity: 'error',
    template: 'model provider "{provider}": {field}: {reason}',
    remedy: 'Correct models.providers.{provider}.{field} in the configuration.',
  },
  TOOL_INVALID: {
    severity: 'error',
    template: 'the tool "{tool}" cannot be offered to a model: {reason}',
    remedy: 'Correct the definition of that tool, or deny it in tools.deny.',
  },
  WORKSPACE_REFUSED: {
    severity: 'warn',
    template: '"{path}" is refused: {reason}',
    remedy: 'Name a file or folder inside the workspace, relative to it.',
  },
  // -- server
  AUTH_REQUIRED: {
    severity: 'fatal',
    template: 'the gateway does not serve {host} without a token: {reason}',
    remedy: 'Set gateway.auth.mode to "token", or gateway.bind to "loopback".',
  },
  AUTH_FAILED: {
    severity: 'warn',
    template: 'unauthorized: {reason}',
    remedy: 'Send the token of this gateway; it lies in the file `token` of its state directory.',
  },
  AUTH_LOCKED: {
    severity: 'warn',
    template: 'unauthorized: too many failed attempts from this address',
    remedy: 'Wait for retryAfterMs, then try once with the right token.',
    retryable: true,
  },
  DEVICE_PROOF_INVALID: {
    severity: 'warn',
    template: 'the device proof is refused: {reason}',
    remedy:
      'Sign the nonce of this connection with the key the device id is made from, or connect without a device.',
  },
  PROTOCOL_MISMATCH: {
    severity: 'warn',
    template:
      'protocol mismatch: the client offers {minProtocol} to {maxProtocol}, this gateway speaks 3 and 4',
    remedy: 'Use a client that speaks protocol 3 or 4.',
  },
  HANDSHAKE_INVALID: {
    severity: 'warn',
    template: 'invalid handshake: {reason}',
    remedy: 'Send the request "connect" as the first frame, within 10 seconds.',
  },
  TOKEN_IN_URL: {
    severity: 'warn',
    template: 'the address carries a secret in its query ("{parameter}")',
    remedy:
      'Addresses end up in logs and histories: send the token as `Authorization: Bearer`, in `connect`, or after # in the dashboard. Replace it if it was real.',
  },
  HOST_REFUSED: {
    severity: 'warn',
    template: 'this gateway does not answer for the host {host}',
    remedy: 'Use localhost or 127.0.0.1; behind a proxy, add its origin to gateway.allowedOrigins.',
  },
  ORIGIN_REFUSED: {
    severity: 'warn',
    template: 'pages from {origin} may not connect',
    remedy: 'Add that origin to gateway.allowedOrigins if you trust it.',
  },
  COMPLETION_INVALID: {
    severity: 'warn',
    template: 'invalid {param}: {reason}',
    remedy: 'Correct it; nothing was done.',
  },
  COMPLETION_UNSUPPORTED: {
    severity: 'warn',
    template: '{param} is not supported: {reason}',
    remedy: 'Leave it out; docs/openai.md lists what is supported. Nothing was done.',
  },
  COMPLETION_ABORTED: {
    severity: 'warn',
    template: 'the run {runId} was aborted before its answer was complete',
    remedy: 'Somebody asked for that. Ask again if you still want the answer.',
  },
  MODEL_UNKNOWN: {
    severity: 'warn',
    template: 'there is no model "{model}"; there is {known}',
    remedy: 'Name one of these; `coppice` is the model of the agent. GET /v1/models lists them all.',
  },
  BODY_TOO_LARGE: {
    severity: 'warn',
    template: 'the body has more than {limit} bytes',
    remedy: 'Send less; a request with a session (x-coppice-session) needs its last message only.',
  },
  BODY_TYPE_REFUSED: {
    severity: 'warn',
    template: 'the body is not taken as {found}',
    remedy: 'Send it as application/json, not compressed.',
  },
  ANSWER_DIVERGED: {
    severity: 'warn',
    template: 'the answer was begun anew, and differs from the part of it that was sent',
    remedy: 'Discard that part. A repeat with the same Idempotency-Key, or without streaming, has it whole.',
  },
  ANSWER_INTERRUPTED: {
    severity: 'warn',
    template: 'the gateway goes down before this answer is complete',
    remedy:
      'The message is on record and is answered in the next life. With an Idempotency-Key a repeat gets that answer.',
    retryable: true,
  },
  HTTP_INVALID: {
    severity: 'warn',
    template: 'invalid HTTP request: {reason}',
    remedy: 'Send a well-formed HTTP/1.1 request with one Host header and one way of saying its length.',
  },
  HTTP_HEADERS_TOO_LARGE: {
    severity: 'warn',
    template: 'the headers of the request are larger than 16 KiB',
    remedy: 'Send fewer or shorter headers; cookies of other servers on this host are a common cause.',
  },
  HTTP_TIMED_OUT: {
    severity: 'warn',
    template: 'the request did not arrive whole in time',
    remedy: 'Send its headers within 10 seconds, and all of it within 30.',
  },
  PAGE_NOT_FOUND: {
    severity: 'warn',
    template: 'there is nothing at {method} {path}',
    remedy: 'Try /, /livez, /readyz, /api/tree or /api/health; WebSocket clients connect to / or /ws.',
  },
  FRAME_INVALID: {
    severity: 'warn',
    template: 'invalid frame: {reason}',
    remedy: 'Send one JSON text frame { type: "req", id, method, params } per request.',
  },
  FILE_UNWRITABLE: {
    severity: 'error',
    template: '{file} cannot be written: {reason}',
    remedy: 'Make its folder, and have the right to write there; or name another file with --out.',
  },
  MACHINE_UNKNOWN: {
    severity: 'warn',
    template: 'there is no machine "{name}"; the nearest known one is "{nearest}"',
    remedy: 'Run `coppice machines ls`, or ask machines.list, for their names.',
  },
  METHOD_UNKNOWN: {
    severity: 'warn',
    template: 'unknown method "{method}"; the nearest known one is "{nearest}"',
    remedy: 'features.methods of hello-ok lists what this gateway answers.',
  },
  RUN_NOT_FOUND: {
    severity: 'warn',
    template: 'there is no run {runId}',
    remedy:
      'A run has the idempotency key of the request that started it; look at chat.history for those on record.',
  },
  PARAMS_INVALID: {
    severity: 'warn',
    template: 'invalid {method} params: {reason}',
    remedy: 'Correct that parameter; nothing was done.',
  },
  SCOPE_MISSING: {
    severity: 'warn',
    template: 'missing scope: {scope}',
    remedy: 'Ask for that scope in `connect`, or for none at all to be granted all of them.',
  },
  REPLY_TOO_LARGE: {
    severity: 'warn',
    template: 'the answer to {method} is {bytes} bytes, more than one reply may have',
    remedy: 'Ask for less at once, with a smaller limit or a deeper path.',
  },
  // -- attachments
  ATTACHMENT_REFUSED: {
    severity: 'warn',
    template: 'file {file} of the message is refused: {reason}',
    remedy: 'Send it in another form, or without it; nothing of the message was taken.',
  },
  ATTACHMENT_LOST: {
    severity: 'error',
    template: 'the file {sha256} cannot be read: {reason}',
    remedy: 'Send it again with a new message; the transcript keeps its name and size.',
  },
  // -- store
  STORE_BUSY: {
    severity: 'warn',
    template: 'the store is busy: {reason}',
    remedy: 'Nothing of it was written. Try again after a moment.',
    retryable: true,
  },
  STORE_FULL: {
    severity: 'error',
    template: 'there is no room left on the file system of {path}',
    remedy:
      'Free space there. Nothing of the refused write was stored; writing goes on by itself when there is room.',
    retryable: true,
  },
  STORE_FAILED: {
    severity: 'error',
    template: 'the store failed: {reason}',
    remedy:
      'Nothing of it was written. If it fails again, look for store.failed in the log (logs/ in the state directory).',
  },
  STORE_UNKNOWN: {
    severity: 'error',
    template: 'the store ended before it answered: {reason}',
    remedy: 'It may or may not have been written. Repeat it; repeating is safe.',
    retryable: true,
  },
  STORE_VALUE: {
    severity: 'error',
    template: '{field} cannot be stored: {reason}',
    remedy: 'Hand in plain JSON, strings and finite numbers.',
  },
  STORE_FENCED: {
    severity: 'fatal',
    template: 'a later life took {path} over: its epoch is {found}, ours is {epoch}',
    remedy: 'Nothing of it was written. Stop this process: another one owns that store.',
  },
  STORE_CLOSED: {
    severity: 'warn',
    template: 'the store is closed',
    remedy: 'Open it again before use.',
  },
  STORE_NEWER: {
    severity: 'fatal',
    template: '{path} has schema {found}, and this program knows schemas up to {known}',
    remedy: 'Nothing was changed. Start the newer coppice again, or use another directory with --state-dir.',
  },
  STORE_DAMAGED: {
    severity: 'fatal',
    template: '{path} is damaged: {reason}',
    remedy:
      'Nothing was changed. Keep a copy of it, then put a backup in its place, or move it away to begin with an empty store.',
  },
  STORE_UNWRITABLE: {
    severity: 'fatal',
    template: '{path} cannot be used for the store: {reason}',
    remedy:
      'Run coppice as the user who owns {path} and may write there, or name another directory with --state-dir.',
  },
  LOCK_HELD: {
    severity: 'fatal',
    template: 'another coppice owns {path}: pid {pid}, since {since}',
    remedy: 'Stop that one with `coppice stop`, or give this one a directory of its own with --state-dir.',
  },
  // -- testing
  TEST_NOT_A_MACHINE: {
    severity: 'error',
    template: 'paths can be made from an XState v5 machine only, and this is {what}',
    remedy: 'Pass what setup().createMachine() or createMachine() of xstate 5 returns.',
  },
  TEST_NOT_PROVIDED: {
    severity: 'error',
    template: 'the machine "{machine}" names what nobody provided: {names}',
    remedy: 'Pass it in setup({ ... }), or with machine.provide({ ... }) before making paths.',
  },
  TEST_START_FAILED: {
    severity: 'error',
    template: 'the machine "{machine}" failed at its start: {reason}',
    remedy:
      'Give it the input it needs as `input` (for testgen: `export const input = ...` beside it); if it has that, correct what the reason says.',
  },
  TEST_INLINE_ACTOR: {
    severity: 'error',
    template:
      'the machine "{machine}" spawns the actor "{actor}" from logic that has no name, which no test can script',
    remedy:
      "Name the logic in setup({ actors }) and spawn it by that name, or pass inlineActors: 'run' to run it for real.",
  },
  TEST_SCHEMA_UNSUPPORTED: {
    severity: 'error',
    template: 'no payload of {event} could be made from its schema: {reason}',
    remedy: 'Give cases of that event yourself, as `examples` or `events`.',
  },
  TEST_OPTION_INVALID: {
    severity: 'error',
    template: '{option} is {value}, expected {expected}',
    remedy: 'Correct that option.',
  },
  TESTGEN_MODULE_FAILED: {
    severity: 'error',
    template: '{file} could not be loaded: {reason}',
    remedy:
      'It is loaded by Node as it is: imports name files with their ending, and of TypeScript only types are left out (no enums, no namespaces). See that `node FILE` runs.',
  },
  TESTGEN_NO_MACHINE: {
    severity: 'error',
    template: '{file} exports no machine {wanted}; it exports {exported}',
    remedy:
      'Export what createMachine() returns, and name that export with --export unless it is called machine.',
  },
  TESTGEN_MANY_MACHINES: {
    severity: 'error',
    template: '{file} exports several machines: {names}',
    remedy: 'Say which one with --export NAME.',
  },
  TESTGEN_COMPANION_UNKNOWN: {
    severity: 'error',
    template: '{file} exports {key}, which says nothing to testgen; the nearest is "{nearest}"',
    remedy: 'Correct the name, or take it out.',
  },
  TESTGEN_COMPANION_THREW: {
    severity: 'error',
    template: 'what the module says about how {machine} is tested threw: {reason}',
    remedy:
      'Correct that function: a function of the snapshot, an invariant or a serializer is called in every state and must not throw.',
  },
  TESTGEN_INPUT_NOT_DATA: {
    severity: 'error',
    template: '{what} of {machine} holds a function or an actor, which cannot be written into a test file',
    remedy: 'Give it as plain data; what a machine does belongs into its actions and actors.',
  },
  TESTGEN_NOT_REPEATABLE: {
    severity: 'error',
    template: '{machine} does not do the same twice, so no test of it can hold: {place}: {reason}',
    remedy:
      "Take what comes from a clock or from chance out of guards and assigns (hand it in by an event or the input), or leave those parts of the context out: export const abstract = { drop: ['PART'] }. If the machine is the same every time, this is a defect of coppice; please report it.",
  },
  TESTGEN_FILE_UNREADABLE: {
    severity: 'error',
    template: '{file} cannot be read: {reason}',
    remedy: 'Name a file that is there and that you may read.',
  },
  TESTGEN_FILE_MISSING: {
    severity: 'error',
    template: 'there is no file {file} to check',
    remedy: 'Write it first: the same command without --check.',
  },
  TESTGEN_FILE_FOREIGN: {
    severity: 'error',
    template: '{file} is there and was not written by `coppice testgen`',
    remedy: 'Name another file with --out; or write over this one with --force.',
  },
  TESTGEN_STALE: {
    severity: 'error',
    template: '{file} and the machine {machine} disagree, first in {difference}',
    remedy:
      'If the machine is right, write the file again: the command is in its head. If it is not, the file has found a bug.',
  },
} as const satisfies Record<string, ErrorRow>;

/** The codes of the table, without their `COPPICE_`. */
export type ErrorCode = keyof typeof rows;
/** The table of errors: template, severity and remedy by code. `docs/errors.md` is made from it. */
export const ERRORS: Readonly<Record<ErrorCode, ErrorRow>> = rows;

export type Details = Readonly<Record<string, unknown>>;

/** An error with a stable code. `message` reads for people; `code` (`COPPICE_...` outside) is for programs. */
export class CoppiceError extends Error {
  readonly code: ErrorCode;
  readonly details: Details;
  constructor(code: ErrorCode, details: Details = {}, options?: { cause?: unknown }) {
    super(fill(ERRORS[code].template, details), options);
    this.name = 'CoppiceError';
    this.code = code;
    this.details = details;
  }
  get severity(): Severity {
    return ERRORS[this.code].severity;
  }
  get remedy(): string {
    return fill(ERRORS[this.code].remedy, this.details);
  }
  get retryable(): boolean {
    return ERRORS[this.code].retryable === true;
  }
  /** The name others script against. */
  get publicCode(): string {
    return `COPPICE_${this.code}`;
  }
}

function fill(template: string, details: Details): string {
  return template.replaceAll(/\{(\w+)\}/g, (whole, name: string) =>
    name in details ? String(details[name]) : whole,
  );
}

/** An error as plain data: survives JSON, a worker boundary and a restart. */
export interface NormalError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string | undefined;
  readonly cause?: NormalError;
}

/**
 * Any thrown value as plain data of bounded size (message 1,000 characters, stack 4,000, name and code 100, cause chain
 * 5 deep). Never throws: not for a proxy, and not for a getter that does.
 */
export function normalizeError(thrown: unknown, depth = 0): NormalError {
  try {
    if (isErrorLike(thrown)) return plainError(thrown, depth);
    return { name: 'Thrown', message: clip(safeString(thrown), 1_000) };
  } catch {
    return { name: 'Thrown', message: 'an error that cannot be read' };
  }
}

function plainError(thrown: Error, depth: number): NormalError {
  const { code, cause } = thrown as { code?: unknown; cause?: unknown };
  let source: Error | undefined = thrown;
  let stack: string | undefined;
  return {
    name: clip(safeString(thrown.name), 100),
    message: clip(safeString(thrown.message), 1_000),
    ...(typeof code === 'string' ? { code: clip(code, 100) } : {}),
    // Written out when somebody reads it: that costs a fifth of a whole crash and restart, and is asked for by logs alone.
    get stack() {
      if (source) stack = stackOf(source);
      source = undefined;
      return stack;
    },
    ...(cause !== undefined && depth < 5 ? { cause: normalizeError(cause, depth + 1) } : {}),
  };
}

function stackOf(error: Error): string | undefined {
  try {
    const { stack } = error as { stack?: unknown };
    return typeof stack === 'string' && stack !== '' ? clip(stack, 4_000) : undefined;
  } catch {
    return undefined; // a getter that throws has no stack to show
  }
}

/** Errors, and what was made plain before: a cause that crosses several supervisors keeps its name and stack. */
function isErrorLike(thrown: unknown): thrown is Error {
  if (thrown instanceof Error) return true;
  if (typeof thrown !== 'object' || thrown === null) return false;
  const { name, message, stack = '' } = thrown as Partial<Record<'name' | 'message' | 'stack', unknown>>;
  return typeof name === 'string' && typeof message === 'string' && typeof stack === 'string';
}

function clip(text: string, limit: number): string {
  return text.length > limit ? `${text.slice(0, limit)}…` : text;
}

function safeString(value: unknown): string {
  try {
    return typeof value === 'object' ? (JSON.stringify(value) ?? String(value)) : String(value);
  } catch {
    return 'a value that cannot be shown';
  }
}
