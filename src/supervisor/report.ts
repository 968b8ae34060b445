import type { NormalError } from '../errors.ts';
import type { ReportBody } from './state.ts';

/** What a supervisor reports, in OTP's words: who (path), about whom (child), what. Facts of bounded size. */
export interface Report {
  /** The supervisor that reports. */
  readonly path: string;
  readonly incarnation: number;
  readonly childPath: string;
  readonly childIncarnation: number;
  readonly body:
    | ReportBody
    | { readonly type: 'shutdown'; readonly reason: string }
    | { readonly type: 'kill_error'; readonly error: NormalError }
    | { readonly type: 'disposer_failed'; readonly error: NormalError };
}
