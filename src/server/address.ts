/** Addresses and host names as this room compares them. */
import { isIPv4, isIPv6 } from 'node:net';

/** One spelling per address: an IPv4 address mapped into IPv6 is the IPv4 address. */
export function plainAddress(address: string | undefined): string {
  if (!address) return 'unknown';
  const lower = address.toLowerCase().replace(/%.*$/, '');
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(lower);
  return mapped?.[1] ?? lower;
}

export function isLoopback(address: string): boolean {
  const plain = plainAddress(address);
  return plain === '::1' || plain === 'localhost' || (isIPv4(plain) && plain.startsWith('127.'));
}

/** Who shares a budget: an IPv4 address, or the /64 an IPv6 address comes from (one host owns all of it). */
export function budgetKey(address: string): string {
  const plain = plainAddress(address);
  if (!isIPv6(plain) || isLoopback(plain)) return plain;
  return `${expand(plain).slice(0, 4).join(':')}::/64`;
}

function expand(address: string): string[] {
  const [head = '', tail] = address.split('::');
  const left = head ? head.split(':') : [];
  const right = tail ? tail.split(':') : [];
  const gap = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  return [...left, ...Array.from({ length: gap }, () => '0'), ...right].map((part) =>
    part.replace(/^0+(?=.)/, ''),
  );
}

/** The host of a `Host` header without its port, in lower case; undefined when it is no host. */
export function hostName(header: string | undefined): string | undefined {
  if (!header || header.length > 300) return undefined;
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i.exec(header);
  return match?.[1]
    ?.replace(/^\[|\]$/g, '')
    .toLowerCase()
    .replace(/\.$/, '');
}

/** Is this a name that can only mean the machine itself? Anything else on a loopback bind is DNS rebinding. */
export function isLoopbackName(name: string): boolean {
  return isLoopback(name) || name.endsWith('.localhost');
}
