import { homedir } from 'node:os';

/** Where the keys of the field's best-known gateway go. Keys that have the same name and meaning here need no row. */
export interface ImportRow {
  /** `*` stands for one key or place. */
  readonly from: string;
  /** `*` in the order of `from`. Absent: it is not taken. */
  readonly to?: string;
  /** Undefined: this value has no equal here. */
  readonly value?: (value: unknown) => unknown;
  /** Why it is not taken, or not taken as it was. */
  readonly why?: string;
}

const MIB = 1_048_576;
const times =
  (factor: number) =>
  (value: unknown): unknown =>
    typeof value === 'number' ? Math.round(value * factor) : undefined;
const floor = (value: unknown): unknown =>
  typeof value === 'number' ? Math.max(1, Math.floor(value)) : undefined;
const bind = (value: unknown): unknown =>
  value === 'auto' ? 'loopback' : value === 'loopback' || value === 'lan' ? value : undefined;
const authMode = (value: unknown): unknown => (value === 'token' || value === 'none' ? value : undefined);
const drop = (value: unknown): unknown =>
  value === 'old' || value === 'new' || value === 'summarize' ? value : undefined;
const allow = (value: unknown): unknown => (Array.isArray(value) && value.length > 0 ? value : undefined);

const folder = (value: unknown): unknown =>
  typeof value === 'string' ? value.replace(/^~(?=\/|$)/, homedir()) : undefined;

const OTHER_BOOKS = 'bookkeeping of that gateway';

/** The first row that fits decides. */
export const IMPORT_ROWS: readonly ImportRow[] = [
  // -- logging, diagnostics
  { from: 'logging.file', why: 'the log is in the state directory, in logs/' },
  { from: 'logging.maxFileBytes', to: 'logging.maxFileMb', value: (v) => megabytes(v) },
  { from: 'diagnostics.stuckSessionWarnMs', to: 'diagnostics.stuckSession.warnMs' },
  { from: 'diagnostics.stuckSessionAbortMs', to: 'diagnostics.stuckSession.abortMs' },
  // -- gateway
  {
    from: 'gateway.bind',
    to: 'gateway.bind',
    value: bind,
    why: 'here it is loopback, lan or an address: set gateway.bind to one of them',
  },
  { from: 'gateway.customBindHost', to: 'gateway.bind' },
  {
    from: 'gateway.auth.mode',
    to: 'gateway.auth.mode',
    value: authMode,
    why: 'here a gateway asks for a token, or for nothing on loopback',
  },
  { from: 'gateway.auth.password', why: 'there are no passwords here: set gateway.auth.token' },
  { from: 'gateway.controlUi.allowedOrigins', to: 'gateway.allowedOrigins' },
  { from: 'gateway.controlUi', why: 'the dashboard is always there, at the address of the gateway' },
  { from: 'gateway.mode', why: 'every gateway here runs where it is started' },
  { from: 'gateway.remote', why: 'commands take --url and --token' },
  { from: 'gateway.reload', why: 'the configuration is read again on SIGHUP; nothing has to be chosen' },
  { from: 'gateway.tailscale', why: 'run it beside coppice, in front of the port' },
  { from: 'commands.restart', to: 'restart.allowSignal' },
  // -- agents
  { from: 'agents.defaults.maxConcurrent', to: 'lanes.main.maxConcurrent', value: floor },
  { from: 'agents.defaults.subagents.maxConcurrent', to: 'lanes.subagent.maxConcurrent', value: floor },
  { from: 'cron.maxConcurrentRuns', to: 'lanes.cron.maxConcurrent', value: floor },
  { from: 'agents.defaults.timeoutSeconds', to: 'agents.defaults.timeoutMs', value: times(1_000) },
  { from: 'agents.list.*.timeoutSeconds', to: 'agents.list.*.timeoutMs', value: times(1_000) },
  { from: 'agents.defaults.tools.loopDetection', to: 'tools.loopDetection' },
  { from: 'agents.defaults.sandbox.mode', to: 'tools.sandbox.mode' },
  { from: 'agents.defaults.sandbox.allowlist', to: 'tools.sandbox.allowlist' },
  { from: 'agents.defaults.sandbox', why: 'of the sandbox, mode and allowlist are known here' },
  { from: 'agents.defaults.workspace', to: 'agents.defaults.workspace', value: folder },
  { from: 'agents.list.*.workspace', to: 'agents.list.*.workspace', value: folder },
  { from: 'agents.defaults.models', why: 'name models under agents.defaults.model and models.providers' },
  { from: 'agents.list.*.identity.name', to: 'agents.list.*.name' },
  { from: 'agents.list.*.identity', why: 'of an identity, the name is known here' },
  { from: 'agents.list.*.sandbox', why: 'there is one sandbox for all agents: tools.sandbox' },
  { from: 'agents.defaults.heartbeat.session', why: 'a heartbeat runs in the main session of its agent' },
  // -- tools
  { from: 'tools.allow', to: 'tools.allow', value: allow, why: 'an empty list meant everything there' },
  { from: 'tools.sandbox.tools.allow', to: 'tools.sandbox.allowlist' },
  { from: 'mcp.servers', to: 'tools.mcp.servers' },
  // -- sessions and messages
  { from: 'messages.queue.mode', to: 'session.queue.mode' },
  { from: 'messages.queue.cap', to: 'session.queue.cap' },
  { from: 'messages.queue.drop', to: 'session.queue.drop', value: drop },
  { from: 'messages', why: 'of messages, queue.mode, queue.cap and queue.drop are known here' },
  { from: 'cron', why: 'of cron, maxConcurrentRuns is known here' },
  { from: 'commands', why: 'of commands, restart is known here' },
  {
    from: 'session.idleMinutes',
    why: 'there it resets a session, here it only leaves memory: set session.idleMinutes if you want that',
  },
  {
    from: 'channels',
    why: 'channels are set up anew here, each with its type: see channels in docs/config.md',
  },
  // -- models and credentials
  { from: 'auth', why: 'credentials stand with their provider: models.providers.NAME.apiKey or .profiles' },
  { from: 'models.mode', why: 'the providers named in the file are all there are' },
  { from: 'plugins', why: 'its plugins cannot be loaded here' },
  { from: 'skills', why: 'its skills cannot be loaded here' },
  { from: 'env', why: 'set variables where coppice is started; refer to them as env:NAME' },
  { from: 'meta', why: OTHER_BOOKS },
  { from: 'wizard', why: OTHER_BOOKS },
  { from: '$schema', why: OTHER_BOOKS },
];

const megabytes = (value: unknown): unknown =>
  typeof value === 'number' && value > 0 ? Math.max(1, Math.round(value / MIB)) : undefined;
