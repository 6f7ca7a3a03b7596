/**
 * What was found out about the bytes of files. A file's bytes are never changed in place once somebody has a view of
 * them (core/unionfs/content.ts), and a layer's are shared by all its containers: so each part is looked at once.
 */
export class AboutBytes<T> {
  readonly #known = new WeakMap<ArrayBufferLike, Map<string, T>>();

  of(bytes: Uint8Array, findOut: (bytes: Uint8Array) => T): T {
    const parts = this.#known.get(bytes.buffer) ?? new Map<string, T>();
    this.#known.set(bytes.buffer, parts);
    const part = `${bytes.byteOffset} ${bytes.length}`;
    const known = parts.get(part);
    if (known !== undefined) return known;
    const found = findOut(bytes);
    parts.set(part, found);
    return found;
  }
}
