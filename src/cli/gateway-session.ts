import { CoppiceError } from '../errors.ts';
import { type Client, connect } from './client.ts';
import type { Io } from './io.ts';
import { findOwner, urlOf } from './owner.ts';
import type { CommonOptions } from './options.ts';
import { readToken, stateDirectory } from './state-directory.ts';
import { packageVersion } from './version.ts';

/** Where a command finds the gateway it talks to. */
export interface Place {
  readonly url: string;
  readonly token: string | undefined;
}

/** The gateway named by --url, else the one that owns the state directory. Throws GATEWAY_NOT_RUNNING. */
export function findGateway(io: Io, options: CommonOptions): Place {
  const dir = stateDirectory(options.stateDir, io.env);
  const url = options.url ?? runningUrl(dir);
  return { url, token: options.token ?? io.env['COPPICE_TOKEN'] ?? readToken(dir) };
}

function runningUrl(dir: string): string {
  const owner = findOwner(dir);
  if (!owner) throw new CoppiceError('GATEWAY_NOT_RUNNING', { where: dir });
  const url = urlOf(owner);
  if (url) return url;
  throw new CoppiceError('UNAVAILABLE', {
    what: `the gateway process ${owner.pid}`,
    reason: 'it is starting and does not listen yet',
  });
}

/** Rejects: GATEWAY_NOT_RUNNING, GATEWAY_UNREACHABLE, NOT_PERMITTED, UNAVAILABLE, REQUEST_TIMED_OUT. */
export async function connectToGateway(io: Io, options: CommonOptions): Promise<Client> {
  return connectWithAnyToken(io, options, findGateway(io, options));
}

/** Connects, uses the connection and closes it, whatever happened. */
export async function withGateway<T>(
  io: Io,
  options: CommonOptions,
  use: (client: Client, place: Place) => Promise<T>,
): Promise<T> {
  const place = findGateway(io, options);
  const client = await connectWithAnyToken(io, options, place);
  try {
    return await use(client, place);
  } finally {
    client.close();
  }
}

/** A gateway with a configured token does not use the one in the file; which it is, the configuration knows. */
async function connectWithAnyToken(io: Io, options: CommonOptions, place: Place): Promise<Client> {
  const version = packageVersion();
  const named = options.token ?? io.env['COPPICE_TOKEN'];
  try {
    return await connect({ ...place, version });
  } catch (error) {
    const refused = error instanceof CoppiceError && error.code === 'NOT_PERMITTED' && named === undefined;
    const token = refused ? await configuredToken(io, options) : undefined;
    if (token === undefined) throw error;
    return connect({ ...place, token, version });
  }
}

/** Read only when it is needed: loading the configuration takes longer than most commands. */
async function configuredToken(io: Io, { stateDir }: CommonOptions): Promise<string | undefined> {
  const { loadConfig } = await import('../config/index.ts');
  return loadConfig({ env: io.env, flags: { stateDir } }).config.gateway.auth.token;
}
