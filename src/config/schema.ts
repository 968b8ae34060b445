import { z } from 'zod';
import { agents, models, retryShape, toolPolicy } from './schema-agents.ts';
import { channels } from './schema-channels.ts';
import { diagnostics, gateway, logging } from './schema-gateway.ts';
import { alerts, audit, cluster, mcp, plugins } from './schema-later.ts';
import { loopDetection } from './schema-loop.ts';
import { choice, count, flag, group, ms, text, texts } from './schema-words.ts';

/**
 * What the operator may say: the keys, their meaning, their defaults. `docs/config.md`, the names of the environment
 * variables and every error message come from here. Unknown keys are errors. Defaults are given with `prefault`,
 * because zod's `default` skips the transform behind it.
 */

const tools = group(
  {
    allow: toolPolicy.allow.prefault(['*']),
    deny: toolPolicy.deny.prefault([]),
    sandbox: group(
      {
        mode: choice(['off', 'non-main', 'all'], 'Whose tools run sandboxed.').optional(),
        allowlist: texts('Tools allowed there.').optional(),
      },
      'Sandbox.',
    ).optional(),
    loopDetection: loopDetection.prefault({}),
    mcp: mcp.optional(),
  },
  'Tools.',
);

const session = group(
  {
    idleMinutes: z
      .number()
      .positive()
      .meta({ description: 'An idle session leaves memory after this; its record stays.' })
      .prefault(30),
    queue: group(
      {
        mode: choice(
          ['followup', 'collect', 'steer', 'steer-backlog', 'interrupt'],
          'What a message does that comes during a turn. This version knows followup: it waits for its own turn.',
        ).prefault('followup'),
        cap: count('Messages waiting in one session.', 1).prefault(100),
        drop: choice(
          ['refuse', 'old', 'new', 'summarize'],
          'What happens beyond the cap. This version knows refuse: the sender is told.',
        ).prefault('refuse'),
      },
      'Messages that wait.',
    ).prefault({}),
  },
  'Sessions.',
);

const lane = group({ maxConcurrent: count('Turns at the same time.', 1) }, 'One lane.');
export const DEFAULT_LANES = {
  main: { maxConcurrent: 8 },
  cron: { maxConcurrent: 1 },
  subagent: { maxConcurrent: 8 },
  nested: { maxConcurrent: 1 },
};

export const configSchema = group(
  {
    $schema: text(
      'For editors: where the JSON Schema of this file is (`coppice config schema` prints it).',
    ).optional(),
    logging: logging.prefault({}),
    diagnostics: diagnostics.prefault({}),
    gateway: gateway.prefault({}),
    models: models.prefault({}),
    agents,
    tools: tools.prefault({}),
    session: session.prefault({}),
    lanes: z.record(z.string(), lane).meta({
      description: 'Lanes by name: main 8, cron 1, subagent 8, nested 1, where nothing else is said.',
    }),
    channels: channels.prefault({}),
    supervision: z
      .record(
        z.string(),
        group(
          { intensity: count('Restarts allowed ...'), periodMs: ms('... within this time.') },
          'One supervisor.',
        ),
      )
      .meta({ description: 'Restart limits by path, such as "gateway/core/edge".' })
      .prefault({}),
    restart: group(
      {
        deferMs: ms('How long a planned restart waits for the gateway to be idle.').prefault(30_000),
        drainMs: ms('How long running turns may take to end.').prefault(30_000),
        cooldownMs: ms('Least time between two planned restarts.').prefault(30_000),
        allowSignal: flag('May SIGUSR1 and SIGUSR2 ask for a restart?').prefault(true),
      },
      'Planned restarts.',
    ).prefault({}),
    retry: group(
      {
        attempts: retryShape.attempts.prefault(3),
        minDelayMs: retryShape.minDelayMs.prefault(300),
        maxDelayMs: retryShape.maxDelayMs.prefault(30_000),
        jitter: retryShape.jitter.prefault(0.2),
      },
      'Every outward call.',
    ).prefault({}),
    plugins: plugins.optional(),
    alerts: alerts.optional(),
    audit: audit.optional(),
    cluster: cluster.optional(),
  },
  'coppice',
);

/** The configuration in force: plain data, every default filled in, secrets resolved, durations in milliseconds. */
export type Config = z.output<typeof configSchema>;
