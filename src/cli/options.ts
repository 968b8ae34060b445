/** What every command takes. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly url?: string;
  readonly token?: string;
  readonly stateDir?: string;
}

/** What `chat` takes, for one answer and for a conversation. */
export interface ChatOptions extends CommonOptions {
  readonly session: string;
}
