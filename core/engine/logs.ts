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
  const { disk } = context.machine;
  const path = live.record.logPath;
  const bell =
    options.follow && live.task !== null ? new Bell(await live.task.attach({ stdin: false, output: true })) : null;
  const size = (await disk.stat(path))?.size ?? 0;
  const read: Parameters<typeof tailOffset>[0] = (file, offset, length) => disk.stream(file, offset, length);
  const offset = options.tail === null ? 0 : await tailOffset(read, path, size, options.tail);
  return entries(disk, path, offset, bell, options);
}

async function* entries(
  disk: Disk,
  path: HostPath,
  from: number,
  bell: Bell | null,
  selection: LogSelection,
): AsyncGenerator<LogEntry, void, undefined> {
  const parser = new LogParser();
  let offset = from;
  try {
    for (;;) {
      const last = bell?.ended ?? true;
      for await (const chunk of streamIfThere(disk, path, offset)) {
        offset += chunk.length;
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

/** A container that has said nothing has no log file. */
async function* streamIfThere(disk: Disk, path: HostPath, offset: number): AsyncGenerator<Uint8Array, void, undefined> {
  const size = (await disk.stat(path))?.size ?? 0;
  if (size > offset) yield* disk.stream(path, offset, size - offset);
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
