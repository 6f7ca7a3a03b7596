/**
 * Attaching to a container. One that does not run yet is attached to as well: its client waits, is
 * connected when the start has come to the gate, and so misses nothing. `docker run` works so.
 */
import type { HostPath } from "../base/brand.ts";
import { allow } from "../container/state.ts";
import { LogParser } from "../container/logs.ts";
import { type Context, emit } from "./context.ts";
import type { Live } from "./live.ts";
import type { Attachment, AttachOptions, OutputChunk, Task } from "./machine.ts";

/** An attachment to the start that comes next. */
export class PendingAttachment implements Attachment {
  readonly #options: AttachOptions;
  readonly #connected: Promise<Attachment | null>;
  #connect: (attachment: Attachment | null) => void = () => {};
  #closed = false;

  constructor(options: AttachOptions) {
    this.#options = options;
    this.#connected = new Promise((resolve) => {
      this.#connect = resolve;
    });
  }

  async connect(task: Task): Promise<void> {
    this.#connect(this.#closed ? null : await task.attach(this.#options));
  }

  /** There will be no start: the output ends, input goes nowhere. */
  giveUp(): void {
    this.#connect(null);
  }

  get output(): AsyncIterable<OutputChunk> {
    return this.#read();
  }

  async *#read(): AsyncGenerator<OutputChunk, void, undefined> {
    const attachment = await this.#connected;
    if (attachment !== null) yield* attachment.output;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await (await this.#connected)?.write(bytes);
  }

  async closeInput(): Promise<void> {
    await (await this.#connected)?.closeInput();
  }

  close(): void {
    this.#closed = true;
    this.#connect(null);
    void this.#connected.then((attachment) => attachment?.close());
  }
}

/** Connects who waits for the start; called at the gate. */
export async function connectPending(live: Live, task: Task): Promise<void> {
  const pending = [...live.pending];
  live.pending.clear();
  await Promise.all(pending.map((attachment) => attachment.connect(task)));
}

export function dropPending(live: Live): void {
  for (const attachment of live.pending) attachment.giveUp();
  live.pending.clear();
}

export async function attach(
  context: Context,
  live: Live,
  options: { stdin: boolean; output: boolean; logs: boolean },
): Promise<Attachment> {
  allow("attach", live.record);
  const wanted: AttachOptions = { stdin: options.stdin && live.record.config.openStdin, output: options.output };
  const attachment = await connect(live, wanted);
  emit(context, live, "attach");
  return options.logs ? withLog(context, live.record.logPath, attachment) : attachment;
}

async function connect(live: Live, options: AttachOptions): Promise<Attachment> {
  if (live.task !== null) return live.task.attach(options);
  const pending = new PendingAttachment(options);
  live.pending.add(pending);
  return pending;
}

/**
 * The log first, then what comes live. A line logged between the attachment and the look at the
 * file's size shows twice; none is lost.
 */
async function withLog(context: Context, path: HostPath, attachment: Attachment): Promise<Attachment> {
  const size = (await context.machine.disk.stat(path))?.size ?? 0;
  const replay = async function* (): AsyncGenerator<OutputChunk, void, undefined> {
    const parser = new LogParser();
    if (size > 0) for await (const chunk of context.machine.disk.stream(path, 0, size)) yield* parser.push(chunk);
    yield* attachment.output;
  };
  return {
    output: replay(),
    write: (bytes) => attachment.write(bytes),
    closeInput: () => attachment.closeInput(),
    close: () => attachment.close(),
  };
}
