/**
 * The daemon finds the detach sequence (ctrl-p ctrl-q) in what is typed, swallows it and closes
 * the connection. We watch the same bytes only to know why it was closed.
 */
import type { ByteStream } from "../core/base/bytes.ts";
import { CliError } from "./errors.ts";

export class DetachWatch {
  readonly #keys: readonly number[];
  #matched = 0;
  detached = false;

  /** "ctrl-a,x"; "" is the default. */
  constructor(keys: string) {
    this.#keys = keys === "" ? [16, 17] : keys.split(",").map((key) => keyCode(key, keys));
  }

  async *watch(input: ByteStream): ByteStream {
    for await (const chunk of input) {
      for (const byte of chunk) this.#see(byte);
      yield chunk;
    }
  }

  #see(byte: number): void {
    if (byte !== this.#keys[this.#matched]) this.#matched = 0;
    if (byte === this.#keys[this.#matched]) this.#matched++;
    if (this.#matched === this.#keys.length) this.detached = true;
  }
}

function keyCode(key: string, keys: string): number {
  if (/^[\x20-\x7e]$/.test(key)) return key.charCodeAt(0);
  const control = /^ctrl-([a-z@[\\\]^_])$/.exec(key)?.[1];
  if (control === undefined) throw new CliError(`invalid detach keys (${keys}) provided`, 125);
  return control.toUpperCase().charCodeAt(0) - 64;
}
