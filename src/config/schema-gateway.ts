import { isIP } from 'node:net';
import { z } from 'zod';
import { prometheus, stuckSession } from './schema-later.ts';
import { choice, count, flag, group, ms, secret, text, texts } from './schema-words.ts';

/** The groups about the gateway itself: its log, its diagnostics, its server. */

const MIB = 1_048_576;

const pattern = z.string().refine(compiles, {
  error: 'this is no regular expression; check its brackets, and write \\\\ for each backslash',
});
function compiles(source: string): boolean {
  try {
    return new RegExp(source) instanceof RegExp;
  } catch {
    return false;
  }
}

const bind = z
  .string()
  .refine((value) => ['loopback', 'lan', 'localhost'].includes(value) || isIP(value) !== 0, {
    error: 'expected "loopback", "lan" or an IP address of this machine',
  })
  .meta({
    description:
      'Where to listen: loopback (127.0.0.1), lan (every interface) or an IP address. Beyond loopback a token is required.',
  });

const LEVELS = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;

export const logging = group(
  {
    level: choice(LEVELS, 'Least severe line in the log file.').prefault('info'),
    consoleLevel: choice(LEVELS, 'Least severe line on the console.').prefault('info'),
    consoleStyle: choice(['pretty', 'compact', 'json'], 'How lines look on the console.').prefault('pretty'),
    file: text(
      'Accepted and ignored: the log is in the state directory, in logs/coppice-YYYY-MM-DD.log.',
    ).optional(),
    maxFileMb: z.number().positive().meta({ description: 'A fuller file is put aside. MiB.' }).prefault(20),
    maxTotalMb: z
      .number()
      .positive()
      .meta({ description: 'All log files together; the oldest are deleted. MiB.' })
      .prefault(200),
    redactSensitive: text('Accepted for files carried over. Redaction cannot be switched off.').optional(),
    redactPatterns: z
      .array(pattern)
      .meta({ description: 'Regular expressions of secrets beside the built-in ones.' })
      .prefault([]),
  },
  'The log.',
);

const otel = group(
  {
    enabled: flag('Export telemetry.').optional(),
    endpoint: text('The collector.').optional(),
    protocol: text('http/protobuf or http/json.').optional(),
    headers: z
      .record(z.string(), secret('A header value.'))
      .meta({ description: 'Headers sent to the collector.' })
      .optional(),
    serviceName: text('Name of this service.').optional(),
    traces: flag('Export traces.').optional(),
    metrics: flag('Export metrics.').optional(),
    logs: flag('Export logs.').optional(),
    sampleRate: z.number().min(0).max(1).meta({ description: 'Share of traces that are kept.' }).optional(),
    flushIntervalMs: ms('Time between two exports.').optional(),
  },
  'OpenTelemetry.',
);

export const diagnostics = group(
  {
    enabled: flag('Publish diagnostic facts. This version always does.').prefault(true),
    flags: texts('Subsystems to show in detail, such as "gateway.*".').prefault([]),
    otel: otel.optional(),
    stuckSession: stuckSession.optional(),
    prometheus: prometheus.optional(),
  },
  'Diagnostics.',
);

export const gateway = group(
  {
    port: z
      .int()
      .min(0)
      .max(65_535)
      .meta({ description: 'TCP port; 0 takes any free one.' })
      .prefault(18_789),
    bind: bind.prefault('loopback'),
    auth: group(
      {
        mode: choice(['token', 'none'], 'none is for a loopback bind only.').prefault('token'),
        token: secret(
          'The shared token. Without one, a loopback gateway makes its own in the state directory.',
        ).optional(),
        rateLimit: group(
          {
            maxAttempts: count('Failed attempts per address before it is locked out.', 1).prefault(10),
            windowMs: ms('Time in which they are counted.').prefault(60_000),
            lockoutMs: ms('How long it is locked out.').prefault(300_000),
          },
          'Brake for guessing.',
        ).prefault({}),
      },
      'Who may connect.',
    ).prefault({}),
    allowedOrigins: texts('Origins of browsers that may connect beside our own.').prefault([]),
    limits: group(
      {
        frameBytes: count('One WebSocket frame.', 1_024).prefault(MIB),
        preAuthFrameBytes: count('One frame before the handshake.', 1_024).prefault(65_536),
        jsonDepth: count('Nesting of a frame.', 4).prefault(64),
        handshakeMs: ms('From the upgrade to a valid connect.').prefault(10_000),
        replyBytes: count('One reply; longer ones are cut and say so.', 1_024).prefault(8 * MIB),
        backlogBytes: count('A client that reads slower is closed.', 1_024).prefault(MIB),
      },
      'Limits of the wire.',
    ).prefault({}),
  },
  'The server.',
);
