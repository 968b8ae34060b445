import { randomBytes } from 'node:crypto';

/** The smallest real ones of each kind. */
export const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
export const GIF = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64');
export const WEBP = Buffer.from('UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA', 'base64');
export const JPEG = Buffer.from('/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////', 'base64');
export const PDF = Buffer.from(
  '%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n',
  'latin1',
);

/** A PNG as far as its first bytes go, and no two of them alike. */
export const largePng = (bytes: number): Buffer =>
  Buffer.concat([PNG.subarray(0, 8), randomBytes(Math.max(0, bytes - 8))]);

export const sent = (
  content: Uint8Array | string,
  more: { type?: 'image' | 'file'; mimeType?: string; fileName?: string } = {},
) => ({ content: Buffer.from(content as string).toString('base64'), ...more });
