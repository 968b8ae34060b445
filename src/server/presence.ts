/** Who is here, as `system-presence` tells it: the gateway itself first, then its clients, the newest first. */
import { hostname, platform, release } from 'node:os';
import type { Client, Clients } from './clients.ts';
import type { GatewayPort } from './port.ts';

/** More would not fit a screen, and the list is asked for by everybody. */
const MOST = 200;
/** One-shot commands come and go; nobody looks for them here. */
const PASSING: ReadonlySet<string> = new Set(['cli', 'probe']);

export function presenceList(port: GatewayPort, clients: Clients): object[] {
  const staying = clients.all().filter(({ about }) => !PASSING.has(about.mode));
  return [self(port), ...staying.slice(-MOST).toReversed().map(entry)];
}

function self(port: GatewayPort): object {
  const host = hostname();
  return {
    host,
    version: port.version,
    platform: `${platform()} ${release()}`,
    mode: 'gateway',
    reason: 'self',
    text: `Gateway: ${host} · app ${port.version} · mode gateway · reason self`,
    ts: Math.round(port.now()),
  };
}

function entry({ about, scopes }: Client): object {
  const { name, version, mode, remote, since, ...rest } = about;
  return {
    host: name,
    ip: remote,
    version,
    mode,
    ...rest,
    reason: 'connect',
    roles: ['operator'],
    scopes,
    text: `Client: ${name} (${remote}) · app ${version} · mode ${mode} · reason connect`,
    ts: since,
  };
}
