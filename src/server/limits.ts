/** Limits of the wire, each with its reason. Some can be configured (`gateway.limits`); tests hand in smaller ones. */
export interface ServerLimits {
  readonly frameBytes: number;
  readonly preAuthFrameBytes: number;
  readonly fragmentsPerFrame: number;
  readonly jsonDepth: number;
  readonly malformedFrames: number;
  readonly handshakeMs: number;
  readonly replyBytes: number;
  readonly backlogBytes: number;
  readonly treeEventBytes: number;
  readonly requestsInFlight: number;
  readonly clients: number;
  readonly preAuthPerAddress: number;
  readonly preAuthLoopback: number;
  readonly sessionsFollowed: number;
  readonly tickMs: number;
  readonly pingMs: number;
  readonly deltaMs: number;
  readonly treeMs: number;
  readonly treePollMs: number;
  readonly healthMs: number;
  readonly shutdownMs: number;
  readonly goodbyeMs: number;
  readonly proofSkewMs: number;
  readonly authAttempts: number;
  readonly authWindowMs: number;
  readonly authLockoutMs: number;
  readonly authDelayMinMs: number;
  readonly authDelayMaxMs: number;
  readonly authAddresses: number;
  readonly authHeld: number;
  readonly completionBytes: number;
  readonly completions: number;
  readonly completionsBytes: number;
  readonly completionSilenceMs: number;
  readonly completionStallMs: number;
  readonly completionLookMs: number;
  readonly waitingSockets: number;
  readonly waitingSocketMs: number;
}

export const SERVER_LIMITS: ServerLimits = {
  /** One frame after the handshake; larger ones close with 1009. */
  frameBytes: 1_048_576,
  /** Before the handshake nobody has a reason to send more than a `connect`. */
  preAuthFrameBytes: 65_536,
  /** Honest clients send one fragment; thousands of tiny ones are an attack on memory. */
  fragmentsPerFrame: 256,
  /** Deeper nesting is refused before it is parsed: a recursive reader must never meet it. */
  jsonDepth: 64,
  /** A client whose frames keep failing to parse is not speaking this protocol. */
  malformedFrames: 10,
  /** From the upgrade to a valid `connect`. */
  handshakeMs: 10_000,
  /** Histories and trees are cut to fit this, and say so. */
  replyBytes: 8 * 1_048_576,
  /** Unsent bytes at which a client counts as gone: it is closed with 1013. */
  backlogBytes: 1_048_576,
  /** A tree event stays below the backlog limit, or the event itself would close its reader. */
  treeEventBytes: 524_288,
  /** Unanswered requests of one connection. `agent` and `agent.wait` hold one for as long as a turn lasts. */
  requestsInFlight: 1_024,
  /** About 7 kB each when idle. */
  clients: 20_000,
  /** Unauthenticated connections from one address. */
  preAuthPerAddress: 32,
  /** Everything on this machine shares these, also when all its clients come back at once. */
  preAuthLoopback: 2_048,
  /** Of one connection; the one it touched longest ago is followed no more. */
  sessionsFollowed: 1_000,
  tickMs: 30_000,
  /** Below the usual 30 s of proxies. */
  pingMs: 25_000,
  /** Between two `chat` deltas of one run. */
  deltaMs: 150,
  /** Between two `tree` events: four a second. */
  treeMs: 250,
  /** Some states change without a fact; a subscribed tree is looked at this often. */
  treePollMs: 1_000,
  /** How often the grade is looked at for the `health` event. */
  healthMs: 5_000,
  /** From `shutdown` to the end of the last socket. */
  shutdownMs: 1_000,
  /** From a close frame to the end of that socket. */
  goodbyeMs: 2_000,
  /** How far the clock of a signing device may be off. */
  proofSkewMs: 600_000,
  authAttempts: 10,
  authWindowMs: 60_000,
  authLockoutMs: 300_000,
  /** On loopback a wrong token is answered late instead of locked out: its owner sits at this machine. */
  authDelayMinMs: 250,
  authDelayMaxMs: 5_000,
  /** Wrong answers held back at a time; more guesses are refused unread, or parallel guessing would be fast again. */
  authHeld: 32,
  /** Addresses remembered; beyond them all newcomers share one budget. */
  authAddresses: 10_000,
  /** A chat completion: a long conversation in text is a tenth of this. */
  completionBytes: 8 * 1_048_576,
  /** Chat completions under way, and the bytes of all their requests. More is answered with 429. */
  completions: 1_024,
  completionsBytes: 256 * 1_048_576,
  /** A comment is sent after this much silence in a stream, below the usual 30 s of proxies. */
  completionSilenceMs: 15_000,
  /** A reader that takes nothing for this long has left, whatever its socket says. */
  completionStallMs: 30_000,
  /** Between two looks at the record of a run that somebody waits for, besides the signals of the run. */
  completionLookMs: 5_000,
  /** Sockets that may wait for a restarting server, and for how long. */
  waitingSockets: 512,
  waitingSocketMs: 10_000,
};
