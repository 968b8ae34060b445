import { z } from 'zod';
import { choice, count, duration, flag, group, ms, secret, text, texts } from './schema-words.ts';

/**
 * Groups that are accepted and checked before the release that acts on them, so that a file can be written once.
 * `carry-over.ts` warns about each that is used. Whoever makes one effective deletes its row there.
 */

export const stuckSession = group(
  {
    enabled: flag('Look for sessions that make no progress.').optional(),
    warnMs: ms('Silence before a session is reported.').optional(),
    abortMs: ms('Silence before what it does is aborted.').optional(),
    modelMs: ms('Longest silence of a model.').optional(),
    toolMs: ms('Longest silence of a tool.').optional(),
    deliveryMs: ms('Longest delivery.').optional(),
  },
  'When a session counts as stuck.',
);

export const prometheus = group(
  { enabled: flag('Serve /metrics.').optional() },
  'Metrics in Prometheus text form.',
);

export const failover = group(
  {
    enabled: flag('Go on to the fallbacks when a model fails.').optional(),
    cooldownMs: ms('First cooling of a failed provider; doubled with every further failure.').optional(),
    maxCooldownMs: ms('Longest cooling.').optional(),
  },
  'What happens when a model fails.',
);

const budget = group(
  {
    tokens: count('Tokens, in and out.', 1).optional(),
    costUsd: z.number().positive().meta({ description: 'US dollars.' }).optional(),
    calls: count('Model calls.', 1).optional(),
  },
  'One budget; whatever is reached first counts.',
);
export const budgets = group(
  {
    run: budget.optional(),
    session: budget.optional(),
    day: budget.optional(),
    month: budget.optional(),
  },
  'How much may be spent.',
);

const mcpServer = group(
  {
    enabled: flag('Start it.').optional(),
    command: text('The program of a local server.').optional(),
    args: texts('Its arguments.').optional(),
    env: z
      .record(z.string(), secret('A variable.'))
      .meta({ description: 'Variables of its process.' })
      .optional(),
    cwd: text('Its folder.').optional(),
    url: secret('The address of a remote server.').optional(),
    transport: choice(['stdio', 'sse', 'streamable-http'], 'How it is spoken to.').optional(),
    headers: z
      .record(z.string(), secret('A header value.'))
      .meta({ description: 'Headers sent to a remote server.' })
      .optional(),
  },
  'One MCP server.',
);
export const mcp = group(
  { servers: z.record(z.string(), mcpServer).meta({ description: 'Servers by name.' }).optional() },
  'Tools of MCP servers.',
);

export const plugins = group(
  {
    enabled: flag('Load plugins.').optional(),
    allow: texts('Plugins that may be loaded.').optional(),
    entries: z
      .record(z.string(), z.looseObject({ enabled: z.boolean().optional() }))
      .meta({ description: 'Plugins by name; each knows its own keys.' })
      .optional(),
  },
  'Plugins.',
);

const SEVERITIES = ['info', 'warn', 'error', 'fatal'] as const;
const route = z
  .looseObject({
    type: choice(['log', 'webhook', 'channel', 'command'], 'What carries it.').optional(),
    minSeverity: choice(SEVERITIES, 'Least severe alert it carries.').optional(),
    url: secret('The address of a webhook.').optional(),
  })
  .meta({ description: 'One way an alert goes.' });
const rule = z
  .looseObject({
    fact: text('The fact it watches, such as "run.crashed".').optional(),
    severity: choice(SEVERITIES, 'Of its alert.').optional(),
    routes: texts('Names of routes; default: all.').optional(),
  })
  .meta({ description: 'One rule.' });
export const alerts = group(
  {
    enabled: flag('Raise alerts.').optional(),
    routes: z.record(z.string(), route).meta({ description: 'Routes by name.' }).optional(),
    rules: z.array(rule).meta({ description: 'Rules beside the built-in ones.' }).optional(),
  },
  'Alerts.',
);

export const audit = group(
  {
    enabled: flag('Audit continually.').optional(),
    every: duration('Time between two audits. A bare number is minutes.', 'm').optional(),
    deep: flag('Include the slow checks.').optional(),
    ignore: texts('Checks to leave out, by id.').optional(),
    keep: count('Audits kept in the history.', 1).optional(),
  },
  'The continual audit.',
);

export const cluster = group(
  {
    engine: choice(['none', 'postgres', 'nats'], 'What several gateways share.').optional(),
    url: secret('The address of the shared engine.').optional(),
  },
  'Several gateways as one.',
);

/** A credential of a provider that has several. */
export const profile = group(
  {
    id: z
      .string()
      .regex(/^[\w.:@-]+$/, { error: 'letters, digits and . : @ _ - only' })
      .meta({ description: 'Its name.' }),
    apiKey: secret('The key.'),
    enabled: flag('Use it.').optional(),
  },
  'One credential.',
);
