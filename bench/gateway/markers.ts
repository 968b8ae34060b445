/**
 * Loaded into a gateway that is profiled, before everything else: each kind of actor gets functions of its own name
 * on the stack, so that a sample in the middle of XState can be given to the actor it was taken for.
 */
import { Actor } from 'xstate';

interface Inside {
  readonly logic: { readonly id?: string };
  readonly src: unknown;
}
type Method = (this: Inside, ...args: unknown[]) => unknown;

const methods = Actor.prototype as unknown as Record<'_process' | 'start', Method>;

/** A machine has a name; an effect has that by which it was invoked; what has neither is a supervisor. */
function kindOf({ logic, src }: Inside): string {
  if (logic.id !== undefined) return logic.id;
  return typeof src === 'string' ? `effect ${src}` : 'supervisor';
}

/** Made from text, as the profiler shows the name that stands in the text of a function. */
function named(kind: string, original: Method): Method {
  const name = `actor$${kind.replaceAll(/\W/g, '$')}`;
  return new Function('original', `return function ${name}(...a) { return original.apply(this, a); };`)(
    original,
  ) as Method;
}

for (const name of ['_process', 'start'] as const) {
  const original = methods[name];
  const made = new Map<string, Method>();
  methods[name] = function (...args) {
    const kind = kindOf(this);
    let method = made.get(kind);
    if (!method) made.set(kind, (method = named(kind, original)));
    return method.apply(this, args);
  };
}
