/**
 * Detach keys: on a terminal the daemon watches the client's input for a sequence (ctrl-p ctrl-q)
 * and swallows it; then the client is let go and the program runs on.
 */
import { invalid } from "./errors.ts";

const defaultKeys = Uint8Array.of(16, 17);

/** "ctrl-a,x" to bytes; "" is the default. Throws TsboxError "invalid" for a key there is not. */
export function parseDetachKeys(text: string): Uint8Array {
  return text === "" ? defaultKeys : Uint8Array.from(text.split(","), (key) => keyCode(key, text));
}

function keyCode(key: string, text: string): number {
  if (/^[\x20-\x7e]$/.test(key)) return key.charCodeAt(0);
  const control = /^ctrl-([a-z@[\\\]^_])$/.exec(key)?.[1];
  if (control === undefined) throw invalid(`invalid detach keys (${text}) provided`);
  return control.toUpperCase().charCodeAt(0) - 64;
}

export interface Scanned {
  /** What goes on to the program. */
  readonly bytes: Uint8Array;
  readonly detached: boolean;
}

/** Finds the sequence in a stream of chunks; a part of it that turns out to be none is passed on late. */
export class DetachScanner {
  readonly #keys: Uint8Array;
  #matched = 0;

  constructor(keys: Uint8Array) {
    this.#keys = keys;
  }

  scan(chunk: Uint8Array): Scanned {
    const passed: number[] = [];
    for (const byte of chunk) {
      if (byte !== this.#keys[this.#matched]) {
        for (const held of this.#keys.subarray(0, this.#matched)) passed.push(held);
        this.#matched = 0;
      }
      if (byte !== this.#keys[this.#matched]) passed.push(byte);
      else if (++this.#matched === this.#keys.length) return { bytes: Uint8Array.from(passed), detached: true };
    }
    return { bytes: Uint8Array.from(passed), detached: false };
  }
}
