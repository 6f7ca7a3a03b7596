/**
 * A container's log, moby's json-file: one JSON object a line, {"log","stream","time"}. A line longer
 * than 16 KiB is written in parts; all parts of a line carry the time of the first.
 */
import { concat, decodeBytes } from "../../core/base/bytes.ts";
import { formatTime } from "../../core/base/time.ts";

const lineBytes = 16 * 1024;
const newline = 10;

export class LogStream {
  readonly #name: "stdout" | "stderr";
  readonly #now: () => bigint;
  #parts: Uint8Array[] = [];
  #length = 0;
  /** When the first part of an unfinished line was written; null at a line's beginning. */
  #since: bigint | null = null;

  constructor(name: "stdout" | "stderr", now: () => bigint) {
    this.#name = name;
    this.#now = now;
  }

  /** The entries that these bytes complete. */
  take(bytes: Uint8Array): string {
    let entries = "";
    for (let at = 0; at < bytes.length; ) {
      if (this.#length === lineBytes) entries += this.#entry(false);
      const end = bytes.indexOf(newline, at);
      const room = lineBytes - this.#length;
      const wanted = (end === -1 ? bytes.length : end) - at;
      const taken = Math.min(wanted, room);
      this.#parts.push(bytes.slice(at, at + taken));
      this.#length += taken;
      at += taken;
      if (taken < wanted || end === -1) continue;
      entries += this.#entry(true);
      at++;
    }
    return entries;
  }

  /** What is left of a line that was not finished. */
  end(): string {
    return this.#length === 0 ? "" : this.#entry(false);
  }

  #entry(isWhole: boolean): string {
    const time = (this.#since ??= this.#now());
    const log = decodeBytes(concat(this.#parts)) + (isWhole ? "\n" : "");
    if (isWhole) this.#since = null;
    this.#parts = [];
    this.#length = 0;
    return `${escaped(JSON.stringify({ log, stream: this.#name, time: formatTime(time) }))}\n`;
  }
}

/** As Go's encoder writes JSON. */
function escaped(json: string): string {
  return json.replace(/[<>&\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
