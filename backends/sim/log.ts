/**
 * A container's log, moby's json-file: one JSON object a line, {"log","stream","time"}. A line longer
 * than 16 KiB is written in parts; all parts of a line carry the time of the first.
 */
import { concat, decodeBytes, encodeText } from "../../core/base/bytes.ts";
import { Errno } from "../../core/base/errno.ts";
import { formatTime } from "../../core/base/time.ts";
import type { LogRotation } from "../../core/engine/machine.ts";
import type { Fd, Sys } from "./kernel/sys.ts";

/** A log's file. It begins anew when it has come to its limit (engine/machine.ts, LogRotation). */
export class LogFile {
  readonly #sys: Sys;
  readonly #path: string;
  readonly #rotation: LogRotation | undefined;
  #fd: Fd;
  #size: number;

  private constructor(sys: Sys, path: string, fd: Fd, rotation: LogRotation | undefined) {
    this.#sys = sys;
    this.#path = path;
    this.#rotation = rotation;
    this.#fd = fd;
    this.#size = sys.statFd(fd).size;
  }

  static async open(sys: Sys, path: string, rotation: LogRotation | undefined): Promise<LogFile> {
    return new LogFile(sys, path, await sys.open(path, appending), rotation);
  }

  async write(entries: string): Promise<void> {
    if (this.#rotation === undefined) return this.#put(entries);
    for (const entry of entries.match(/.*\n/g) ?? []) {
      if (this.#size >= this.#rotation.maxBytes) await this.#beginAnew(this.#rotation.maxFiles);
      await this.#put(entry);
    }
  }

  async #put(text: string): Promise<void> {
    this.#size += await this.#sys.write(this.#fd, encodeText(text));
  }

  async #beginAnew(count: number): Promise<void> {
    this.#sys.close(this.#fd);
    for (let number = count - 1; number > 0; number--) {
      const from = number === 1 ? this.#path : `${this.#path}.${number - 1}`;
      if (this.#isThere(from)) this.#sys.rename(from, `${this.#path}.${number}`);
    }
    this.#size = 0;
    this.#fd = await this.#sys.open(this.#path, { ...appending, truncate: true });
  }

  #isThere(path: string): boolean {
    try {
      this.#sys.lstat(path);
      return true;
    } catch (thrown) {
      if (thrown instanceof Errno && thrown.errno === "ENOENT") return false;
      throw thrown;
    }
  }
}

const appending = { access: "write", create: true, append: true, mode: 0o640 } as const;

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
