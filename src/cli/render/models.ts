import type { ModelRow } from '../../server/port.ts';
import type { Colour, Paint } from './style.ts';
import { cells, padEnd, safe } from './text.ts';

const HEADINGS = ['provider', 'model', 'asked', 'state'] as const;
const GAP = '  ';

/** The built-in model is no real one: who has nothing else should know. */
export function onlyLoopback(models: readonly ModelRow[]): boolean {
  return models.length > 0 && models.every(({ api }) => api === 'loopback');
}

/** One line per model under a line of headings, in the order in which they are asked. */
export function renderModels(models: readonly ModelRow[], paint: Paint): string[] {
  const rows = models.map((model) => [safe(model.provider), safe(model.id), askedOf(model), stateOf(model)]);
  const widths = HEADINGS.map((heading, i) => Math.max(cells(heading), ...rows.map((row) => cells(row[i]!))));
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, i) => padEnd(text, widths[i]!))
      .join(GAP)
      .trimEnd();
  return [
    paint('dim', line(HEADINGS)),
    ...rows.map((row, i) => paint(colourOf(models[i]!), line(row))),
    ...(models.length === 0 ? ['No provider lists a model.'] : []),
    ...(onlyLoopback(models) ? ['', LOOPBACK] : []),
  ];
}

const LOOPBACK =
  'Only the built-in loopback model is there, which is no real model. Set ANTHROPIC_API_KEY or OPENAI_API_KEY, or configure models.providers, and restart.';

function askedOf({ primary }: ModelRow): string {
  if (primary === undefined) return '';
  return primary ? 'primary' : 'fallback';
}

/** An older gateway does not tell. */
function stateOf({ state, coolingUntil }: ModelRow): string {
  if (state === 'half_open') return 'trying again';
  if (state !== 'cooling') return state ?? 'unknown';
  return coolingUntil === undefined ? state : `cooling until ${timeOf(coolingUntil)}`;
}

const timeOf = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

function colourOf({ state, primary }: ModelRow): Colour {
  if (state === 'cooling') return 'yellow';
  return primary === undefined ? 'dim' : 'green';
}
