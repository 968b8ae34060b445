/** The bytes of a request as they came, for whoever must look at them before anything reads them. */
import type { IncomingMessage } from 'node:http';
import { CoppiceError } from '../errors.ts';

/**
 * Rejects HOOK_TOO_LARGE, or what `tooLarge` makes, as soon as it is known, from the declared length or from the
 * bytes; the rest is not kept.
 */
export function readRawBody(
  incoming: IncomingMessage,
  maxBytes: number,
  tooLarge: (maxBytes: number) => CoppiceError = hookTooLarge,
): Promise<Buffer> {
  if (Number(incoming.headers['content-length'] ?? 0) > maxBytes) return Promise.reject(tooLarge(maxBytes));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const settle = (act: () => void): void => {
      incoming.off('data', onData).off('end', onEnd).off('error', onLost).off('close', onLost);
      act();
    };
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes > maxBytes) settle(() => reject(tooLarge(maxBytes)));
    };
    const onEnd = (): void => settle(() => resolve(Buffer.concat(chunks)));
    // Nobody is left to read the answer.
    const onLost = (): void =>
      settle(() =>
        reject(
          new CoppiceError('UNAVAILABLE', { what: 'the rest of the body', reason: 'its sender is gone' }),
        ),
      );
    incoming.on('data', onData).on('end', onEnd).on('error', onLost).on('close', onLost);
  });
}

const hookTooLarge = (maxBytes: number): CoppiceError => new CoppiceError('HOOK_TOO_LARGE', { maxBytes });
