import type { MachineState, MachineView } from '../../server/port.ts';
import type { Paint } from './style.ts';

/** States as an outline with their ways out, then what the machine hears and what it needs. */
export function renderMachine({ name, states, events, effects }: MachineView, paint: Paint): string[] {
  return [
    paint('bold', name),
    ...states.flatMap((state) => renderState(state, name, paint)),
    '',
    `${paint('dim', 'hears')}   ${events.join(', ')}`,
    `${paint('dim', 'needs')}   ${effects.map((one) => `${one.name} (${one.kind})`).join(', ') || 'nothing'}`,
  ];
}

function renderState(state: MachineState, machine: string, paint: Paint): string[] {
  const depth = state.path === '' ? 0 : state.path.split('.').length;
  const indent = '  '.repeat(depth);
  const title = state.path === '' ? `(any state of ${machine})` : state.path.split('.').at(-1)!;
  const kind = state.type === 'atomic' || state.path === '' ? '' : ` [${state.type}]`;
  const first = state.initial === undefined ? '' : `  begins in ${state.initial}`;
  const runs = state.invokes.length > 0 ? `  runs ${state.invokes.join(', ')}` : '';
  return [
    `${indent}${paint('cyan', title)}${kind}${paint('dim', first + runs)}`,
    ...waysOut(state).map((line) => `${indent}    ${line}`),
  ];
}

/** What only changes its context is one line; the rest names where it goes. */
function waysOut({ transitions }: MachineState): string[] {
  const moves = transitions.filter(({ targets }) => targets.length > 0);
  const stays = [...new Set(transitions.filter(({ targets }) => targets.length === 0).map(({ on }) => on))];
  return [
    ...moves.map(({ on, targets, guarded }) => `${on}${guarded ? ' [if]' : ''} > ${targets.join(', ')}`),
    ...(stays.length > 0 ? [`stays on ${stays.join(', ')}`] : []),
  ];
}
