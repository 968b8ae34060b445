/** Which partition a child belongs to, and how partitions are named. Needs nothing. */

/**
 * The partition of a key: FNV-1a with 32 bits over its UTF-16 code units, low byte first, the upper half of the hash
 * folded into the lower (the low bits of FNV alone know nothing of the high bits of a character), modulo `partitions`.
 * The same in every process and every run; another number of partitions moves most keys.
 */
export function partitionOf(key: string, partitions: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i += 1) {
    const unit = key.charCodeAt(i);
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193);
    hash = Math.imul(hash ^ (unit >>> 8), 0x01000193);
  }
  return ((hash ^ (hash >>> 16)) >>> 0) % partitions;
}

/** The id of a partition. No child can have its path: a `#` in the id of a child is encoded in its segment. */
export const partitionId = (partition: number): string => `#${partition}`;

export const isPartitionId = (segment: string): boolean => segment.startsWith('#');

/** Where the children of a supervisor live: those of a partition where those of its siblings do. */
export function homeOf(path: string): string {
  const cut = path.lastIndexOf('/');
  return cut >= 0 && isPartitionId(path.slice(cut + 1)) ? path.slice(0, cut) : path;
}
