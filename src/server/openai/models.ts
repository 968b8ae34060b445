/** The models a client may name, and what a name means. */
import { CoppiceError } from '../../errors.ts';
import type { GatewayPort, TurnOptions } from '../port.ts';
import { shown } from '../request-guard.ts';

/** The agent's own model, whatever it is at the time, with its fallbacks. */
export const OWN_MODEL = 'coppice';
const OWN_NAMES: ReadonlySet<string> = new Set([OWN_MODEL, 'default', '']);
const NAMED = 12;

type Port = Pick<GatewayPort, 'modelNames' | 'startedAt'>;

export function listModels(port: Port) {
  return { object: 'list', data: [OWN_MODEL, ...port.modelNames().listed].map((id) => modelOf(port, id)) };
}

/** Throws MODEL_UNKNOWN. */
export function findModel(port: Port, id: string) {
  checkKnown(port, id);
  return modelOf(port, id);
}

function modelOf({ startedAt }: Port, id: string) {
  const owner = id.includes('/') ? id.slice(0, id.indexOf('/')) : OWN_MODEL;
  return { id, object: 'model', created: Math.floor(startedAt / 1_000), owned_by: owner };
}

/** Whoever names a model gets that one or an error, never another in its place. Throws MODEL_UNKNOWN. */
export function modelOptions(
  port: Port,
  name: string | undefined,
): Pick<TurnOptions, 'model' | 'exactModel'> {
  if (name === undefined || OWN_NAMES.has(name)) return {};
  checkKnown(port, name);
  return { model: name, exactModel: true };
}

function checkKnown(port: Port, name: string): void {
  const { listed, open } = port.modelNames();
  const cut = name.indexOf('/');
  const provider = name.slice(0, Math.max(0, cut));
  if (
    OWN_NAMES.has(name) ||
    listed.includes(name) ||
    (cut > 0 && cut < name.length - 1 && open.includes(provider))
  )
    return;
  const all = [OWN_MODEL, ...listed, ...open.map((one) => `${one}/MODEL`)];
  const more = all.length > NAMED ? ` and ${all.length - NAMED} more` : '';
  throw new CoppiceError('MODEL_UNKNOWN', {
    model: shown(name).slice(0, 128),
    known: all.slice(0, NAMED).join(', ') + more,
    param: 'model',
  });
}
