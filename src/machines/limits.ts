/** Every limit of the house that is not configuration, with its reason. Units close the name. */
export const LIMITS = {
  /** Tool calls in one run. Public loop reports start at about 200 wasted calls; honest runs rarely pass 30. */
  toolCallsPerRun: 50,
  /** Model calls of one run, tool rounds included: every round needs one, plus a few failures. */
  modelCallsPerRun: 60,
  /** Tool calls taken from one answer of a model; the rest is refused by name. Parallel calls rarely pass ten. */
  toolCallsPerResponse: 64,
  /** Characters of text in one answer. A server that streams for ever would otherwise fill the memory. */
  responseChars: 4_000_000,
  /** Newest part of a transcript that is sent along: about 50,000 tokens, which the smaller current windows hold. */
  historyChars: 200_000,
  /** Bytes of files sent along with one request, the newest first: below what hosted providers take. */
  fileBytesPerRequest: 16 * 1_048_576,
  /** Of a text file, as much as of a whole transcript. */
  fileTextBytes: 200_000,
  /** Reading or journalling of a run: a healthy store answers in milliseconds, a restarting one in seconds. */
  runStoreMs: 30_000,
  /** Attempts at one read or journal entry of a run before it ends with the store's error. All are safe to repeat. */
  runStoreAttempts: 4,
  runStorePauseMs: 500,
  /** A backoff is passed in steps of at most this, since XState delays are for short waits. */
  backoffStepMs: 50_000,
  /** A streaming run tells its session at most this often that it lives. */
  progressEveryMs: 1_000,
  /** Between two pieces of a streamed answer: faster than anybody reads, and a hundredth of the cost of every token. */
  textEveryMs: 20,
  /** Runs whose signal counters are kept. More than ever live at once; the oldest goes first. */
  signalCounters: 10_000,
  // -- cooling of a provider, by class of failure; doubled with every failure of a probe, up to the cap
  /** Rate windows are mostly a minute long. */
  coolRateLimitMs: 60_000,
  /** Overload passes quickly; a short pause spreads the return. */
  coolOverloadedMs: 30_000,
  /** A key does not heal by itself, but an operator changes it and wants to see that within minutes. */
  coolAuthMs: 300_000,
  /** Credit is bought by people. */
  coolBillingMs: 600_000,
  /** A provider is looked at again at least once an hour, whatever happened. */
  coolMaxMs: 3_600_000,
  /** Crashes of one turn before its session settles it as an error instead of beginning it again. */
  crashesPerTurn: 3,
  /** Messages waiting in one session, the pending inbox rows included. More are refused, not dropped. */
  queuePerSession: 100,
  // -- the way in
  /** Messages between admission and their inbox commit. One group commit takes hundreds; more would only wait. */
  writesInFlight: 1_000,
  /** Writes of one message when the writer died under them. The write is idempotent; each waits for the new writer. */
  writeAttempts: 3,
  /** What a refused sender is told to wait. Milliseconds. */
  retryAfterMs: 1_000,
  /** A sender waits at most this long for its answer; a commit takes milliseconds. */
  offerDeadlineMs: 30_000,
  /** Between two looks for accepted work that could not be handed to its session. */
  sweepEveryMs: 30_000,
  /** A worker that is told to stop finishes what it has in hand for at most this long. Below the 5 s a supervisor gives. */
  lastWordsMs: 4_000,
  // -- the way out
  /** Deliveries under way in one outbox, and those of one channel: a hanging channel must not use up the others' places. */
  deliveriesInFlight: 64,
  deliveriesPerChannel: 8,
  /** Platforms answer in seconds; after this nobody knows. */
  deliveryDeadlineMs: 30_000,
  /** With the delays below, about three quarters of an hour. Then the delivery has failed for good. */
  deliveryAttempts: 16,
  deliveryMinDelayMs: 1_000,
  deliveryMaxDelayMs: 300_000,
  /** Without a wake-up the outbox looks by itself this often. */
  outboxLookMs: 30_000,
  // -- channels
  legStartMs: 30_000,
  legProbeMs: 10_000,
  legProbeEveryMs: 30_000,
  /** One failed probe is a suspicion, two are a fact. */
  legProbeFailures: 2,
  /** Connected this long, a leg has its earlier failures forgiven. */
  legStableMs: 60_000,
  /** Delays before attempt 2, 3, ...; after the last one the leg ends and its supervisor counts it. */
  legLadderMs: [500, 1_000, 2_000, 5_000, 10_000],
  /** Signals a chat keeps while its way out is down. */
  signalsKept: 1_000,
  // -- heartbeat
  /** A slot that could not be offered is tried again this long before it is skipped. */
  heartbeatGraceMs: 300_000,
  /** Longest wait for the outcome of a heartbeat before its slot is settled as failed. */
  heartbeatOutcomeMs: 3_600_000,
  // -- restart
  restartPollMs: 250,
  /** Who asked is listed up to this many; the rest is counted. */
  restartRequestsListed: 100,
  // -- schedule
  scheduleTickMs: 5_000,
  /** Receivers told in one macrotask: about 1 ms of work. */
  scheduleSlice: 200,
  /** One transition may raise this many further ones before XState calls it a loop. */
  maxIterations: 1_000,
  /** A ticket is a lease, not a gift: a holder that never lets go loses it. Public defaults let one turn last 48 h. */
  ticketHoldMs: 48 * 3_600_000,
  /** Waiting tickets of one lane: ten thousand sessions may wait, a runaway may not fill the memory. */
  lanePerQueue: 10_000,
  /** A lane that is not there for this long is configured nowhere; whoever waits for it is told. A restart takes less. */
  laneAbsentMs: 30_000,
  /** How long a restarted lane lets holders of its earlier life report before it grants. They do so in the same turn. */
  laneGatherMs: 20,
  /** First delay before a crashed run begins again; doubles. Short, as the user waits. */
  runBackoffMs: 200,
  /** A run that was told to abort has this long to say what it has; then it is stopped. */
  abortGraceMs: 5_000,
  /** Tries to commit the outcome of a turn, or to load a session, before the session fails and is started anew. */
  storeTries: 5,
  /** First delay between such tries; doubles: 0.25, 0.5, 1, 2 s, longer than a store actor needs to restart. */
  storeBackoffMs: 250,
  /** How long a session told to stop waits for the commit it has begun. Below the 5 s its supervisor gives it. */
  lastCommitMs: 4_000,
  /** Silence of a working session before it is reported as stuck, doubling: the field's usual first warning. */
  stuckMs: 120_000,
  /** A session of a host that says nothing else leaves memory after half an hour, and its turn ends after ten minutes. */
  sessionIdleMs: 1_800_000,
  turnMs: 600_000,
  /** Lines kept in a record of a session: more than models are sent, and a record is written whole. */
  linesPerRecord: 1_000,
  /** Requests (abort, reset, delete) that may wait for one session. Each has a caller with a deadline. */
  asksPerSession: 32,
  /** Message ids a session remembers after it settled them, so that a late second notice is no second turn. */
  recentPerSession: 64,
  /** How long the caller of abort, reset or delete waits for the session's answer. */
  sessionAnswerMs: 15_000,
  /** Callers of abort, reset and delete waiting at once. Each leaves at its deadline. */
  sessionAnswersWaiting: 1_000,
  /** Pending inbox rows a delete ends in its transaction; ingress lets far fewer accumulate. */
  deletedPerSession: 10_000,
} as const;

const oneForOne = { strategy: 'one_for_one' } as const;
const restForOne = { strategy: 'rest_for_one' } as const;

/**
 * Strategy and intensity of every supervisor of the gateway. Limits multiply on the way up: 5 restarts of a lane in
 * 60 s cost `lanes` one, 5 of those cost `work` one, 3 of those `core`: what keeps failing reaches the root only
 * after minutes, and what fails once never leaves its own node.
 */
export const NODES = {
  /** The last resort: when this is exhausted the process ends with 70 and the launcher takes over. */
  root: { ...oneForOne, intensity: 3, periodMs: 300_000 },
  /** Observers may fail for as long as they like: parked, they cost us sight, not work. */
  watch: { ...oneForOne, intensity: 5, periodMs: 60_000, onExhausted: 'park' },
  control: { ...oneForOne, intensity: 5, periodMs: 60_000 },
  core: { ...restForOne, intensity: 3, periodMs: 120_000 },
  foundation: { ...restForOne, intensity: 3, periodMs: 60_000 },
  work: { ...restForOne, intensity: 5, periodMs: 60_000 },
  lanes: { ...oneForOne, intensity: 5, periodMs: 60_000 },
  models: { ...oneForOne, intensity: 5, periodMs: 60_000 },
  /** A session that dies more than three times in a minute is quarantined; all others go on. */
  sessions: {
    ...oneForOne,
    intensity: 3,
    periodMs: 60_000,
    onExhausted: 'park',
    probeMs: 300_000,
    dynamic: true,
  },
  /** Networks come back: a channel is given five minutes' worth of tries, then probed. */
  edge: { ...oneForOne, intensity: 5, periodMs: 300_000, onExhausted: 'park' },
} as const;
