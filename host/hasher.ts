/**
 * SHA-256 in WebAssembly, for the page's worker and for Node when it lives again what happened in a page.
 * Nothing of it is asynchronous once it is made, so the simulated kernel never has to wait for it.
 */
import { createSHA256, type IHasher } from "hash-wasm";
import type { Hash, Hasher } from "../core/base/ports.ts";

/** One WebAssembly instance serves all hashes: whoever goes on with another one than before changes its state. */
export async function wasmHasher(): Promise<Hasher> {
  const engine = await createSHA256();
  let current: WasmHash | null = null;
  const take = (hash: WasmHash): IHasher => {
    if (current === hash) return engine;
    current?.leave(engine.save());
    current = hash;
    return hash.resume(engine);
  };
  return { sha256: () => new WasmHash(take, () => (current = null)) };
}

class WasmHash implements Hash {
  readonly #take: (hash: WasmHash) => IHasher;
  readonly #done: () => void;
  #state: Uint8Array | null = null;

  constructor(take: (hash: WasmHash) => IHasher, done: () => void) {
    this.#take = take;
    this.#done = done;
  }

  update(bytes: Uint8Array): void {
    this.#take(this).update(bytes);
  }

  digest(): Uint8Array {
    const digest = this.#take(this).digest("binary");
    this.#done();
    return digest;
  }

  leave(state: Uint8Array): void {
    this.#state = state;
  }

  resume(engine: IHasher): IHasher {
    return this.#state === null ? engine.init() : engine.load(this.#state);
  }
}
