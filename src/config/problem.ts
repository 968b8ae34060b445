import { CoppiceError } from '../errors.ts';

/** One thing that is wrong with the configuration, addressed to whoever wrote it. */
export interface Problem {
  /** `coppice.jsonc:12:3`, `COPPICE_PORT`, `--port`, or the path of the key. */
  readonly where: string;
  readonly path: string;
  readonly message: string;
  /** The line in question with a mark below it, secrets masked: two lines. */
  readonly source?: string | undefined;
}

/** Accepted, with something the operator should know. */
export interface Warning {
  readonly path: string;
  readonly message: string;
}

/** As a compiler would show them, each with what was meant or what to do. */
export function problemLines(problems: readonly Problem[]): string {
  return problems
    .map(({ where, path, message, source }) => {
      const head = `  ${where}${path === '' || path === where ? '' : ` ${path}`}: ${message}`;
      return source === undefined ? head : `${head}\n${source.replaceAll(/^/gm, '    ')}`;
    })
    .join('\n');
}

/** In the order of the file; what is elsewhere comes after. */
function inOrder(problems: readonly Problem[]): Problem[] {
  const place = ({ where }: Problem): number => {
    const [, line, column] = /:(\d+):(\d+)$/.exec(where) ?? [];
    return line === undefined ? Number.POSITIVE_INFINITY : Number(line) * 100_000 + Number(column);
  };
  return problems.toSorted((a, b) => (place(a) === place(b) ? 0 : place(a) - place(b)));
}

export function configInvalid(found: readonly Problem[]): CoppiceError {
  const problems = inOrder(found);
  return new CoppiceError('CONFIG_INVALID', {
    count: problems.length,
    problems: problemLines(problems),
    list: problems,
  });
}
