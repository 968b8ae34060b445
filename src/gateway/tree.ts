/**
 * The heart: who lives in a gateway, in start order, and who restarts whom. Order is dependency: what is further
 * down needs what is further up; stopping runs in reverse. No logic here, only the composition.
 *
 * The observers (`watch`) and the control plane (`control`) stand beside the core, so that neither restarts the work
 * and the control plane outlives any failure of it. The gate is last in the core: stopping closes the intake first.
 */
import { CHANNELS_SPEC, channelSupervisor } from '../actors/channel.ts';
import { coordinatorChild } from '../actors/coordinator.ts';
import { gateChild } from '../actors/gate.ts';
import { heartbeatChild } from '../actors/heartbeat.ts';
import { ingressChild } from '../actors/ingress.ts';
import { laneChild } from '../actors/lanes.ts';
import { profileChild } from '../actors/models.ts';
import { outboxChild } from '../actors/outbox.ts';
import { PATHS } from '../actors/paths.ts';
import { resourceChild, type ResourceSpec } from '../actors/resource.ts';
import { scheduleChild } from '../actors/schedule.ts';
import type { GatewayParts } from './parts.ts';
import { NODES } from '../machines/limits.ts';
import type { ChildSpec, SupervisorLogic, SupervisorSpec } from '../supervisor/index.ts';

export function composeTree(parts: GatewayParts): SupervisorLogic {
  const { deps, door, sessions, options } = parts;
  /** Strategy and limits from the table, the operator's limits over them. */
  const supervisor = (path: string, spec: SupervisorSpec): SupervisorLogic =>
    parts.supervision.supervisor({ ...spec, ...options.supervision[path] });
  const node = (path: string, spec: SupervisorSpec): ChildSpec => ({
    id: path.slice(path.lastIndexOf('/') + 1),
    logic: supervisor(path, spec),
  });
  const resource = (spec: ResourceSpec): ChildSpec => resourceChild(deps, spec);

  const watch = node(PATHS.watch, {
    ...NODES.watch,
    children: [
      resource({ id: 'log', open: parts.openLog }),
      resource({ id: 'aggregate', open: parts.openAggregate }),
    ],
  });

  const control = node(PATHS.control, {
    ...NODES.control,
    children: [resource({ id: 'server', open: parts.openServer })],
  });

  const foundation = node(PATHS.foundation, {
    ...NODES.foundation,
    // Closing it finishes what waits for the disk.
    children: [
      resource({ id: 'store', open: parts.openStore, shutdown: 10_000 }),
      resource({ id: 'config', open: parts.openConfig }),
    ],
  });

  const work = node(PATHS.work, {
    ...NODES.work,
    children: [
      node(PATHS.lanes, { ...NODES.lanes, children: options.lanes.map((lane) => laneChild(deps, lane)) }),
      node(PATHS.models, {
        ...NODES.models,
        children: [...deps.providers.keys()].map((name) => profileChild(deps, name)),
      }),
      node(PATHS.sessions, { ...NODES.sessions }),
      outboxChild(deps),
      ingressChild(deps, door, sessions),
      // It keeps nothing, and everybody can miss a tick: last, so that its restart takes nobody along.
      scheduleChild(deps, { receivers: parts.receivers }),
    ],
  });

  const inTree = (spec: SupervisorSpec): SupervisorLogic => parts.supervision.supervisor(spec);
  const edge = node(PATHS.edge, {
    ...NODES.edge,
    children: [
      node(PATHS.channels, {
        ...CHANNELS_SPEC,
        children: [...deps.channels.values()].map((one) => channelSupervisor({ ...deps, door }, one, inTree)),
      }),
      ...options.heartbeats.map((heartbeat) => heartbeatChild({ ...deps, door }, heartbeat)),
    ],
  });

  const core = node(PATHS.core, {
    ...NODES.core,
    children: [
      foundation,
      work,
      edge,
      coordinatorChild(deps, options.coordinator),
      gateChild(parts.gate, door),
    ],
  });

  return supervisor(PATHS.root, { ...NODES.root, children: [watch, control, core] });
}
