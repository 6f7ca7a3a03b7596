/** Sequence numbers count modulo 2^32 (RFC 9293, 3.4): "before" means within half the circle. */
export function sequenceAfter(sequence: number, length: number): number {
  return (sequence + length) >>> 0;
}

/** How far `later` is ahead of `earlier`; negative when it is behind. */
export function sequenceDistance(earlier: number, later: number): number {
  return (later - earlier) | 0;
}
