import { CoppiceError } from '../errors.ts';

/** One thing that is wrong with the configuration, addressed to whoever wrote it. */
export interface Problem {
  /** `coppice.jsonc:12:3`, `COPPICE_PORT`, `--port`, or the path of the key. */
  readonly where: string;
  readonly path: string;
  readonly message: string;
}

/** Accepted, with something the operator should know. */
export interface Warning {
  readonly path: string;
  readonly message: string;
}

export function configInvalid(problems: readonly Problem[]): CoppiceError {
  const lines = problems.map(
    ({ where, path, message }) => `  ${where}${path === '' || path === where ? '' : ` ${path}`}: ${message}`,
  );
  return new CoppiceError('CONFIG_INVALID', {
    count: problems.length,
    problems: lines.join('\n'),
    list: problems,
  });
}
