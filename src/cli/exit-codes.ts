/** What a process of coppice ends with; service managers and scripts read them. The numbers are those of sysexits. */
export const EXIT = {
  ok: 0,
  error: 1,
  usage: 64,
  /** No gateway is running. */
  unavailable: 69,
  /** An internal fault; starting again may cure it. */
  fault: 70,
  /** Try again; of the gateway process: a planned restart. */
  again: 75,
  notPermitted: 77,
  /** A configuration or ownership error that a restart cannot cure. No supervisor should loop on it. */
  config: 78,
} as const;
