/**
 * The device proof of `connect`: an Ed25519 signature over a bar-joined string (version 2, or version 3 with platform
 * and device family) that names the device, the client, what it asks for, and this connection's nonce.
 * It adds to the token and never replaces it.
 */
import { createHash, createPublicKey, verify, type KeyObject } from 'node:crypto';
import type { ConnectParams } from './protocol/connect.ts';

type Device = NonNullable<ConnectParams['device']>;

/** The DER prefix of an Ed25519 public key; the 32 raw bytes follow. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** Why the proof is refused, as a stable word; undefined when it holds. */
export function deviceProofFault(
  params: ConnectParams,
  expected: { nonce: string; now: number; skewMs: number },
): string | undefined {
  const device = params.device;
  if (!device) return undefined;
  const key = publicKey(device.publicKey);
  if (!key) return 'device-public-key';
  if (fingerprint(key) !== device.id.toLowerCase()) return 'device-id-mismatch';
  if (Math.abs(expected.now - device.signedAt) > expected.skewMs) return 'device-signature-stale';
  if (device.nonce !== expected.nonce) return 'device-nonce-mismatch';
  return signatureHolds(params, device, key) ? undefined : 'device-signature';
}

function signatureHolds(params: ConnectParams, device: Device, key: KeyObject): boolean {
  const signature = Buffer.from(device.signature, 'base64url');
  return payloads(params, device).some((payload) => verify(null, Buffer.from(payload), key, signature));
}

function payloads(params: ConnectParams, device: Device): string[] {
  const token = params.auth?.token ?? params.auth?.deviceToken ?? '';
  const fields = [
    device.id,
    params.client.id,
    params.client.mode,
    params.role,
    params.scopes.join(','),
    String(device.signedAt),
    token,
    device.nonce ?? '',
  ];
  const { platform, deviceFamily } = params.client;
  return [
    ['v3', ...fields, metadata(platform), metadata(deviceFamily)].join('|'),
    ['v2', ...fields].join('|'),
  ];
}

function metadata(value: string | undefined): string {
  return (value ?? '').trim().replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** From the 32 raw bytes in base64url, or from PEM. */
function publicKey(text: string): KeyObject | undefined {
  try {
    const key = text.includes('BEGIN')
      ? createPublicKey(text)
      : createPublicKey({
          key: Buffer.concat([SPKI_PREFIX, Buffer.from(text, 'base64url')]),
          format: 'der',
          type: 'spki',
        });
    return key.asymmetricKeyType === 'ed25519' ? key : undefined;
  } catch {
    // Whatever is no key is answered as such by the caller.
    return undefined;
  }
}

function fingerprint(key: KeyObject): string {
  const raw = key.export({ format: 'der', type: 'spki' }).subarray(SPKI_PREFIX.length);
  return createHash('sha256').update(raw).digest('hex');
}
