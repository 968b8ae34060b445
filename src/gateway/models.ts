import type { Deps } from '../actors/deps.ts';
import { profileState } from '../actors/models.ts';
import type { Candidate } from '../machines/turn.ts';
import { modelInfo, type ModelInfo } from '../models/index.ts';
import type { ModelRow } from '../server/port.ts';

export interface ModelFacts extends Pick<Deps, 'providers' | 'registry'> {
  readonly facts: {
    /** What the default agent asks, in that order. */
    readonly candidates: readonly Candidate[];
  };
}

/** The models the default agent asks, then all others that a provider lists. A candidate need not be on its list. */
export function modelRows(deps: ModelFacts): ModelRow[] {
  const listed = [...deps.providers.values()].flatMap((provider) => [...provider.models()]);
  const { candidates } = deps.facts;
  const asked = candidates.map(
    ({ provider, model }) =>
      listed.find((one) => one.provider === provider && one.id === model) ?? modelInfo(provider, model),
  );
  const others = listed.filter((one) => !asked.includes(one));
  return [
    ...asked.map((one, index) => row(deps, one, { primary: index === 0 })),
    ...others.map((one) => row(deps, one, {})),
  ];
}

function row(deps: ModelFacts, info: ModelInfo, part: Pick<ModelRow, 'primary'>): ModelRow {
  const api = deps.providers.get(info.provider)?.api;
  const { state, untilAt } = profileState(deps, info.provider);
  return {
    ...info,
    ...(api === undefined ? {} : { api }),
    ...part,
    state,
    ...(untilAt === null ? {} : { coolingUntil: Math.round(untilAt) }),
  };
}
