/**
 * What the engine needs of the world, on a simulated host: the kernel's time and the kernel's seed.
 * Hashing is computed at once; inflating may be truly asynchronous, and the kernel stands still
 * until it has settled, so that how long it takes cannot be seen from inside.
 */
import type { ByteStream } from "../../core/base/bytes.ts";
import type { Hasher, Inflate, Ports } from "../../core/base/ports.ts";
import type { Kernel } from "./kernel/kernel.ts";

const nanosPerMilli = 1e6;

export function simPorts(kernel: Kernel, { hasher, inflate }: { hasher: Hasher; inflate: Inflate }): Ports {
  const { turns } = kernel;
  return {
    clock: {
      now: () => turns.now,
      sleep: (ms, signal) => turns.sleepUntil(turns.now + BigInt(Math.ceil(ms * nanosPerMilli)), signal),
    },
    random: { bytes: (count) => kernel.options.random(count) },
    hasher,
    inflate: {
      decompress: (format, compressed) => held(kernel, compressed, (input) => inflate.decompress(format, input)),
    },
  };
}

/**
 * The kernel stands still while somebody waits for output and the inflater has what it needs. While it
 * waits for input the kernel goes on, as the input may come from a process.
 */
async function* held(
  { turns }: Kernel,
  compressed: ByteStream,
  decompress: (compressed: ByteStream) => ByteStream,
): ByteStream {
  const hold = new Hold(turns);
  async function* input(): ByteStream {
    const iterator = compressed[Symbol.asyncIterator]();
    for (;;) {
      hold.set({ needsInput: true });
      const { done, value } = await iterator.next();
      hold.set({ needsInput: false });
      if (done === true) return;
      yield value;
    }
  }
  const iterator = decompress(input())[Symbol.asyncIterator]();
  try {
    for (;;) {
      hold.set({ isWanted: true });
      const { done, value } = await iterator.next();
      hold.set({ isWanted: false });
      if (done === true) return;
      yield value;
    }
  } finally {
    hold.set({ isWanted: false });
    await iterator.return?.();
  }
}

class Hold {
  readonly #turns: Kernel["turns"];
  #isWanted = false;
  #needsInput = false;
  #release: (() => void) | null = null;

  constructor(turns: Kernel["turns"]) {
    this.#turns = turns;
  }

  set({
    isWanted = this.#isWanted,
    needsInput = this.#needsInput,
  }: {
    isWanted?: boolean;
    needsInput?: boolean;
  }): void {
    this.#isWanted = isWanted;
    this.#needsInput = needsInput;
    const holds = isWanted && !needsInput;
    if (holds && this.#release === null) this.#take();
    else if (!holds) {
      this.#release?.();
      this.#release = null;
    }
  }

  #take(): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#release = resolve;
    this.#turns.hold(promise);
  }
}
