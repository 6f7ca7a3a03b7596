/**
 * A container's log: one JSON object a line, {"log","stream","time"}, as moby's json-file driver
 * writes them and the machine's monitor does. Here it is read: whole, from a time on, or the last
 * lines of it.
 */
import type { HostPath } from "../base/brand.ts";
import { concat, decodeBytes, encodeText } from "../base/bytes.ts";
import { parseTime } from "../base/time.ts";

export interface LogLine {
  readonly stream: "stdout" | "stderr";
  readonly time: string;
  readonly bytes: Uint8Array;
}

/** Where the file's bytes come from: Disk.stream. */
export type ReadFile = (path: HostPath, offset: number, length: number) => AsyncIterable<Uint8Array>;

/** Takes a file's bytes as they come, gives the lines that are complete. */
export class LogParser {
  #rest: Uint8Array = new Uint8Array();

  push(chunk: Uint8Array): LogLine[] {
    const bytes = this.#rest.length === 0 ? chunk : concat([this.#rest, chunk]);
    const end = bytes.lastIndexOf(newline) + 1;
    this.#rest = bytes.slice(end);
    const lines = decodeBytes(bytes.subarray(0, end)).split("\n");
    return lines.flatMap((line) => (line === "" ? [] : (parseLine(line) ?? [])));
  }
}

const newline = 0x0a;

/** null for what a crash or a full disk has torn. */
function parseLine(line: string): LogLine | null {
  try {
    const { log, stream, time } = JSON.parse(line) as Partial<Record<"log" | "stream" | "time", unknown>>;
    if (typeof log !== "string" || typeof time !== "string") return null;
    return { stream: stream === "stderr" ? "stderr" : "stdout", time, bytes: encodeText(log) };
  } catch {
    return null;
  }
}

const block = 64 * 1024;

/**
 * Where the last `count` lines of a file of `size` bytes begin, and how many there are; the file is read from its end,
 * and not at all when everything is wanted.
 */
export async function tailOffset(
  read: ReadFile,
  path: HostPath,
  size: number,
  count: number,
): Promise<{ readonly offset: number; readonly lines: number }> {
  if (count === 0) return { offset: size, lines: 0 };
  if (count === Number.POSITIVE_INFINITY || size === 0) return { offset: 0, lines: 0 };
  let newlines = 0;
  for (let end = size; end > 0; end -= block) {
    const start = Math.max(0, end - block);
    const bytes = await readRange(read, path, start, end - start);
    for (let at = bytes.length - 1; at >= 0; at--)
      if (bytes[at] === newline && start + at !== size - 1 && ++newlines === count)
        return { offset: start + at + 1, lines: count };
  }
  return { offset: 0, lines: newlines + 1 };
}

async function readRange(read: ReadFile, path: HostPath, offset: number, length: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of read(path, offset, length)) chunks.push(chunk);
  return concat(chunks);
}

export interface LogSelection {
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Nanoseconds since the epoch; null: no bound. */
  readonly since: bigint | null;
  readonly until: bigint | null;
}

/** Whether a line is asked for; "after" once the line's time is past `until`: no later line will be. */
export function selects(selection: LogSelection, line: LogLine): "yes" | "no" | "after" {
  const time = parseTime(line.time) ?? 0n;
  if (selection.until !== null && time > selection.until) return "after";
  if (selection.since !== null && time < selection.since) return "no";
  return selection[line.stream] ? "yes" : "no";
}
