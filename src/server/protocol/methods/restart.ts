/** `restart.request` and `restart.status`: a planned restart, drained and coalesced. */
import { z } from 'zod';
import { defineMethod } from '../method.ts';
import { idempotencyKey } from './fields.ts';

/** Answered before anything happens: `restart.status`, the `shutdown` event and the next life tell the rest. */
export const restartRequest = defineMethod({
  scope: 'operator.admin',
  params: z.strictObject({
    reason: z.string().min(1).max(512).optional(),
    force: z.boolean().optional(),
    idempotencyKey: idempotencyKey.optional(),
  }),
  handle({ reason = 'an operator asked for it', force }, { port, connId }) {
    port.requestRestart(reason, { by: `operator ${connId}`, ...(force === undefined ? {} : { force }) });
    return { payload: { ok: true, ...port.restartStatus() } };
  },
});

export const restartStatus = defineMethod({
  scope: 'operator.read',
  params: z.strictObject({}),
  handle: (_params, { port }) => ({
    payload: {
      pid: process.pid,
      startedAt: Math.round(port.startedAt),
      uptimeMs: Math.round(port.now() - port.startedAt),
      ...port.restartStatus(),
    },
  }),
});
