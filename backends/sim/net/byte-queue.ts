/** Bytes in order: put at the end, looked at anywhere, taken from the front; chunks are not copied. */
export class ByteQueue {
  #chunks: Uint8Array[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  put(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#chunks.push(bytes);
    this.#size += bytes.length;
  }

  /** Up to `length` bytes from `offset` on. */
  peek(offset: number, length: number): Uint8Array {
    const wanted = new Uint8Array(Math.max(0, Math.min(length, this.#size - offset)));
    let skip = offset;
    let filled = 0;
    for (const chunk of this.#chunks) {
      if (filled === wanted.length) break;
      const part = chunk.subarray(skip, skip + wanted.length - filled);
      wanted.set(part, filled);
      filled += part.length;
      skip = Math.max(0, skip - chunk.length);
    }
    return wanted;
  }

  take(length: number): Uint8Array {
    const taken = this.peek(0, length);
    this.drop(taken.length);
    return taken;
  }

  drop(length: number): void {
    let left = Math.min(length, this.#size);
    this.#size -= left;
    for (let first = this.#chunks[0]; first !== undefined && left > 0; first = this.#chunks[0]) {
      if (first.length > left) {
        this.#chunks[0] = first.subarray(left);
        return;
      }
      left -= first.length;
      this.#chunks.shift();
    }
  }

  clear(): void {
    this.#chunks = [];
    this.#size = 0;
  }
}
