import { STEP_WORDS } from './steps.ts';
import { tokensOf } from './tokens.ts';
import type { Token } from './tokens.ts';

/** How much is shown of each side. */
const SHOWN = 8;

/**
 * Where a file first says something else than what the machine gives now; undefined when they agree. Formatting and
 * comments do not count: a project may format what it checks in.
 */
export function firstDifference(file: string, now: string): string | undefined {
  const [old, fresh] = [tokensOf(file), tokensOf(now)];
  const differs = (at: number): boolean => !same(old[at], fresh[at]);
  const places = [...Array(Math.max(old.length, fresh.length)).keys()];
  // A title sums its steps up: the step says more.
  const at = places.find((index) => differs(index) && !isTitle(fresh, index)) ?? places.find(differs);
  if (at === undefined) return undefined;
  return `${placeOf(fresh, at)}: the file says ${textFrom(old, at)}, the machine gives ${textFrom(fresh, at)}`;
}

const isTitle = (tokens: readonly Token[], at: number): boolean =>
  tokens[at]?.kind === 'text' && isCall(tokens, at - 2) && tokens[at - 2]?.text === 'path';

const same = (one: Token | undefined, other: Token | undefined): boolean =>
  one?.kind === other?.kind && one?.text === other?.text;

function textFrom(tokens: readonly Token[], at: number): string {
  const shown = tokens.slice(at, at + SHOWN).map(({ kind, text }) => (kind === 'text' ? `'${text}'` : text));
  if (shown.length === 0) return 'nothing more';
  const tight = shown
    .join(' ')
    .replaceAll(/ (?=[,:()\]])/g, '')
    .replaceAll(/(?<=[([]) /g, '');
  return `\`${tight}${at + SHOWN < tokens.length ? ' ...' : ''}\``;
}

const isCall = (tokens: readonly Token[], at: number): boolean =>
  tokens[at]?.kind === 'word' && tokens[at + 1]?.text === '(' && tokens[at + 1]?.kind === 'sign';

/** `path "3: ..." of "session, ...", step 2`; what stands before the first path is the head. */
function placeOf(tokens: readonly Token[], at: number): string {
  let [group, path, step] = ['', '', 0];
  for (let index = 0; index <= at; index += 1) {
    if (!isCall(tokens, index)) continue;
    const word = tokens[index]!.text;
    const title = tokens[index + 2]?.kind === 'text' ? tokens[index + 2]!.text : undefined;
    if (word === 'describe' && title !== undefined) [group, path, step] = [title, '', 0];
    else if (word === 'path' && title !== undefined) [path, step] = [title, 0];
    else if (word === 'test' && title !== undefined) [group, path] = ['', 'the coverage at the end'];
    else if ((STEP_WORDS as readonly string[]).includes(word)) step += 1;
  }
  if (path === 'the coverage at the end') return path;
  if (path === '') return group === '' ? 'its head' : `the beginning of "${group}"`;
  return `path "${path}" of "${group}", ${step === 0 ? 'its title' : `step ${step}`}`;
}
