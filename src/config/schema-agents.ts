import { z } from 'zod';
import { budgets, failover, profile } from './schema-later.ts';
import { agentLoopDetection } from './schema-loop.ts';
import { choice, count, duration, flag, group, ms, secret, text, texts } from './schema-words.ts';

/** The groups about who answers: models, agents, and which tools they have. */

const baseUrl = z
  .string()
  .refine((value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol), {
    error: 'expected an address that begins with http:// or https://',
  })
  .meta({
    description: 'Address of the API, up to and including its version, such as http://127.0.0.1:11434/v1.',
  });

const clock = z
  .string()
  .regex(/^(?:[01]?\d|2[0-4]):[0-5]\d$/, { error: 'expected HH:MM, 24:00 at the latest' });

export const retryShape = {
  attempts: count('Attempts, the first one included.', 1),
  minDelayMs: ms('Delay before the second attempt; doubled for each further one.'),
  maxDelayMs: ms('Longest delay.'),
  jitter: z.number().min(0).max(1).meta({ description: 'Share of a delay that is random.' }),
};

const provider = group(
  {
    api: choice(
      ['openai-completions', 'openai-responses', 'anthropic-messages', 'loopback'],
      'The wire format it speaks.',
    ),
    baseUrl: baseUrl.optional(),
    apiKey: secret('The key.').optional(),
    profiles: z.array(profile).meta({ description: 'Several credentials instead of one key.' }).optional(),
    headers: z
      .record(z.string(), secret('A header value.'))
      .meta({ description: 'Headers sent with every call.' })
      .optional(),
    models: z
      .array(
        z
          .union([z.string().min(1), z.looseObject({ id: z.string().min(1) })])
          .transform((model) => (typeof model === 'string' ? model : model.id)),
      )
      .meta({ description: 'Model ids to offer.' })
      .optional(),
  },
  'One provider of models.',
);

export const models = group(
  {
    providers: z
      .record(z.string().regex(/^[^/\s]+$/, { error: 'use a name without slash or space' }), provider)
      .meta({ description: 'Providers by name.' })
      .prefault({}),
    retry: group(
      Object.fromEntries(Object.entries(retryShape).map(([key, value]) => [key, value.optional()])) as {
        [K in keyof typeof retryShape]: z.ZodOptional<(typeof retryShape)[K]>;
      },
      'Retries of model calls, where they differ from `retry`.',
    ).prefault({}),
    failover: failover.optional(),
    budgets: budgets.optional(),
  },
  'Models.',
);

const reference = z.string().regex(/^[^/\s]+\/\S+$/, {
  error: 'expected "provider/model", such as "loopback/echo"',
});
const modelChoice = z.preprocess(
  (value) => (typeof value === 'string' ? { primary: value } : value),
  group(
    {
      primary: reference.meta({
        description: 'provider/model. Default: the first model of the first provider.',
      }),
      fallbacks: z
        .array(reference)
        .meta({ description: 'Tried in this order when the primary fails.' })
        .prefault([]),
    },
    'Which models answer. A bare string is the primary.',
  ),
);

const heartbeatShape = {
  every: duration('Time between two heartbeats; 0 switches them off. A bare number is minutes.', 'm'),
  prompt: text('What the agent is asked.'),
  target: text('Where the answer goes: last, none, or a channel.'),
  model: reference.meta({ description: 'provider/model for heartbeats only.' }),
  activeHours: group(
    {
      start: clock.meta({ description: 'HH:MM.' }),
      end: clock.meta({ description: 'HH:MM; 24:00 is allowed.' }),
      timezone: text('IANA name, or local.').prefault('local'),
    },
    'Heartbeats only within these hours.',
  ),
  ackMaxChars: count('A reply that says all is well and no more than this is not delivered.'),
};

export const DEFAULT_HEARTBEAT_PROMPT =
  'Read HEARTBEAT.md if it exists in the workspace and follow it. If nothing needs attention, answer HEARTBEAT_OK.';

const heartbeat = group(
  {
    every: heartbeatShape.every.prefault('30m'),
    prompt: heartbeatShape.prompt.prefault(DEFAULT_HEARTBEAT_PROMPT),
    target: heartbeatShape.target.prefault('last'),
    model: heartbeatShape.model.optional(),
    activeHours: heartbeatShape.activeHours.optional(),
    ackMaxChars: heartbeatShape.ackMaxChars.prefault(300),
  },
  'The scheduled agent prompt.',
);

export const toolPolicy = {
  allow: texts('Tool names or patterns with *.'),
  deny: texts('Tool names or patterns with *. Wins over allow.'),
};
const partialTools = { allow: toolPolicy.allow.optional(), deny: toolPolicy.deny.optional() };

export const agents = group(
  {
    defaults: group(
      {
        model: modelChoice,
        workspace: text('The folder of its tools. Default: workspace in the state directory.'),
        timeoutMs: ms('Longest turn.').prefault(600_000),
        heartbeat: heartbeat.prefault({}),
        systemPrompt: text('Put before every conversation.').optional(),
        tools: group(partialTools, 'Narrower than `tools`.').prefault({}),
      },
      'What holds for every agent.',
    ),
    list: z
      .array(
        group(
          {
            id: z
              .string()
              .regex(/^[\w.-]+$/, { error: 'letters, digits, dot, dash and underscore only' })
              .meta({ description: 'Its name in session keys.' }),
            name: text('Its name for people.').optional(),
            default: flag('Takes what names no agent.').optional(),
            model: modelChoice.optional(),
            workspace: text('Its folder.').optional(),
            timeoutMs: ms('Longest turn.').optional(),
            heartbeat: group(
              {
                every: heartbeatShape.every.optional(),
                prompt: heartbeatShape.prompt.optional(),
                target: heartbeatShape.target.optional(),
                model: heartbeatShape.model.optional(),
                activeHours: heartbeatShape.activeHours.optional(),
                ackMaxChars: heartbeatShape.ackMaxChars.optional(),
              },
              'Its heartbeat, key by key over the defaults.',
            ).optional(),
            systemPrompt: text('Put before its conversations.').optional(),
            tools: group(
              { ...partialTools, loopDetection: agentLoopDetection.optional() },
              'Narrower than `tools`.',
            ).optional(),
          },
          'One agent.',
        ),
      )
      .meta({ description: 'Agents beside or instead of the default one, `main`.' })
      .prefault([]),
  },
  'Agents.',
);
