/**
 * Reading a container's log, and following it while it runs. Followed is the file itself: the
 * output of an attachment only says when to look again, so no line is lost or told twice.
 */
import { assert } from "../base/assert.ts";
import type { HostPath } from "../base/brand.ts";
import { TsboxError } from "../base/error.ts";
import { LogParser, type LogSelection, selects, tailOffset } from "../container/logs.ts";
import type { Context } from "./context.ts";
import type { LogEntry, LogOptions } from "./engine.ts";
import type { Live } from "./live.ts";
import type { Attachment, Disk } from "./machine.ts";

export async function logs(context: Context, live: Live, options: LogOptions): Promise<AsyncIterable<LogEntry>> {
  if (!options.stdout && !options.stderr)
    throw new TsboxError("invalid", "Bad parameters: you must choose at least one stream");
  const files = new LogFiles(context.machine.disk, live.record.logPath);
  const bell =
    options.follow && live.task !== null ? new Bell(await live.task.attach({ stdin: false, output: true })) : null;
  return entries(files, await files.placeOf(options.tail), bell, options);
}

async function* entries(
  files: LogFiles,
  from: Place,
  bell: Bell | null,
  selection: LogSelection,
): AsyncGenerator<LogEntry, void, undefined> {
  let place = from;
  let parser = new LogParser();
  try {
    for (;;) {
      const last = bell?.ended ?? true;
      for await (const { chunk, at } of files.from(place)) {
        if (at.inode !== place.inode) parser = new LogParser();
        place = at;
        for (const line of parser.push(chunk)) {
          const verdict = selects(selection, line);
          if (verdict === "after") return;
          if (verdict === "yes") yield line;
        }
      }
      if (last || bell === null) return;
      await bell.rings();
    }
  } finally {
    bell?.close();
  }
}

/** Where a reader is: a file, whatever it is called by now, and how much of it was read. */
interface Place {
  readonly inode: number;
  readonly offset: number;
}

interface LogFile extends Place {
  readonly path: HostPath;
  readonly size: number;
}

/** A log and what was it before: `log`, `log.1`, … A container that has said nothing has none. */
class LogFiles {
  readonly #disk: Disk;
  readonly #path: HostPath;

  constructor(disk: Disk, path: HostPath) {
    this.#disk = disk;
    this.#path = path;
  }

  /** Oldest first. */
  async #list(): Promise<LogFile[]> {
    const slash = this.#path.lastIndexOf("/");
    const name = this.#path.slice(slash + 1);
    const numbers = (await this.#disk.list(this.#path.slice(0, slash) as HostPath))
      .filter((each) => each.startsWith(`${name}.`) && /^\d+$/.test(each.slice(name.length + 1)))
      .map((each) => Number(each.slice(name.length + 1)));
    const paths = [...numbers.toSorted((a, b) => b - a).map((number) => `${this.#path}.${number}`), this.#path];
    const files = await Promise.all(paths.map((path) => this.#file(path as HostPath)));
    return files.filter((file) => file !== null);
  }

  async #file(path: HostPath): Promise<LogFile | null> {
    const stat = await this.#disk.stat(path);
    return stat === null ? null : { path, inode: stat.inode, offset: 0, size: stat.size };
  }

  /** Where the last so many lines begin; null: where the log does. */
  async placeOf(tail: number | null): Promise<Place> {
    const files = await this.#list();
    const read: Parameters<typeof tailOffset>[0] = (file, offset, length) => this.#disk.stream(file, offset, length);
    let left = tail ?? Number.POSITIVE_INFINITY;
    for (const { path, inode, size } of files.toReversed()) {
      const { offset, lines } = await tailOffset(read, path, size, left);
      left -= lines;
      if (left <= 0) return { inode, offset };
    }
    return { inode: files[0]?.inode ?? 0, offset: 0 };
  }

  /** What is there behind a place, and the place behind it. A file that is gone by now is passed over. */
  async *from(place: Place): AsyncGenerator<{ chunk: Uint8Array; at: Place }, void, undefined> {
    const files = await this.#list();
    const begin = Math.max(
      files.findIndex(({ inode }) => inode === place.inode),
      0,
    );
    for (const { path, inode, size } of files.slice(begin)) {
      // One that is shorter than what was read of it has begun anew.
      let offset = inode === place.inode && size >= place.offset ? place.offset : 0;
      if (size <= offset) continue;
      for await (const chunk of this.#disk.stream(path, offset, size - offset)) {
        offset += chunk.length;
        yield { chunk, at: { inode, offset } };
      }
    }
  }
}

/** Rings when the container has said something, and when it has said its last. */
class Bell {
  readonly #attachment: Attachment;
  #rung = false;
  #listener: (() => void) | null = null;
  ended = false;

  constructor(attachment: Attachment) {
    this.#attachment = attachment;
    this.#listen().then(
      () => this.#end(),
      () => this.#end(),
    );
  }

  async #listen(): Promise<void> {
    for await (const _ of this.#attachment.output) this.#ring();
  }

  #end(): void {
    this.ended = true;
    this.#ring();
  }

  #ring(): void {
    this.#rung = true;
    this.#listener?.();
    this.#listener = null;
  }

  /** Resolves once it has rung since the last time. */
  async rings(): Promise<void> {
    assert(this.#listener === null, "one reader waits for the bell");
    if (!this.#rung)
      await new Promise<void>((resolve) => {
        this.#listener = resolve;
      });
    this.#rung = false;
  }

  close(): void {
    this.#attachment.close();
  }
}
