/** What every command takes. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly url?: string;
  readonly token?: string;
  readonly stateDir?: string;
}
