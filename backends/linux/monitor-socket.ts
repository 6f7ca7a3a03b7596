/** Connections to a monitor's socket (wire/monitor.ts): one carries control, and one more each attachment. */
import { connect, type Socket } from "node:net";
import type { Attachment, AttachOptions, OutputChunk } from "../../core/engine/machine.ts";
import { FrameReader } from "./wire/frame.ts";
import { decodeMonitorFrame, encodeHello, encodeInput, encodeInputEnd, type MonitorFrame } from "./wire/monitor.ts";

export interface MonitorEvents {
  readonly frame: (frame: MonitorFrame) => void;
  /** Once: it hung up, or was not there at all. */
  readonly closed: () => void;
}

/** Says hello at once; what is written before the connection stands is sent when it does. */
export function connectMonitor(
  path: string,
  options: AttachOptions,
  events: MonitorEvents,
  sent: () => void = () => {},
): Socket {
  const socket = connect({ path });
  const reader = new FrameReader();
  socket.on("data", (chunk: Uint8Array) => {
    for (const frame of reader.push(chunk)) events.frame(decodeMonitorFrame(frame));
  });
  socket.on("error", () => {}); // "close" follows
  socket.once("close", events.closed);
  socket.write(encodeHello(options), sent);
  return socket;
}

/** Output is read ahead up to here; then the monitor waits, and in the end the program. */
const readAhead = 256 * 1024;

export class MonitorAttachment implements Attachment {
  readonly output: AsyncIterable<OutputChunk>;
  readonly #socket: Socket;
  readonly #chunks: OutputChunk[] = [];
  #ahead = 0;
  #ended = false;
  #wake: (() => void) | null = null;
  readonly #sent = Promise.withResolvers<void>();
  readonly #welcome = Promise.withResolvers<void>();

  /** To a task that has ended it is an attachment at its end. */
  constructor(path: string, options: AttachOptions) {
    const events = { frame: (frame: MonitorFrame) => this.#take(frame), closed: () => this.#end() };
    this.#socket = connectMonitor(path, options, events, this.#sent.resolve);
    this.output = this.#read();
  }

  /** Resolves when the monitor will know of it before it opens the gate. */
  get sent(): Promise<void> {
    return this.#sent.promise;
  }

  /** Resolves when the monitor knows of it. */
  get welcome(): Promise<void> {
    return this.#welcome.promise;
  }

  get socket(): Socket {
    return this.#socket;
  }

  #take(frame: MonitorFrame): void {
    if (frame.kind === "welcome") this.#welcome.resolve();
    else if (frame.kind === "output") this.#queue(frame);
    else if (frame.kind === "output-end" || frame.kind === "exited") this.#end();
  }

  #queue({ stream, bytes }: Extract<MonitorFrame, { kind: "output" }>): void {
    if (this.#ended) return;
    this.#chunks.push({ stream, bytes });
    this.#ahead += bytes.length;
    if (this.#ahead > readAhead) this.#socket.pause();
    this.#ring();
  }

  #end(): void {
    this.#ended = true;
    this.#sent.resolve();
    this.#welcome.resolve();
    this.#ring();
  }

  #ring(): void {
    this.#wake?.();
    this.#wake = null;
  }

  async *#read(): AsyncGenerator<OutputChunk, void, undefined> {
    try {
      for (;;) {
        const chunk = this.#chunks.shift();
        if (chunk !== undefined) {
          this.#ahead -= chunk.bytes.length;
          yield chunk;
        } else if (this.#ended) return;
        else await this.#more();
      }
    } finally {
      this.close();
    }
  }

  #more(): Promise<void> {
    this.#socket.resume();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#send(encodeInput(bytes));
  }

  closeInput(): Promise<void> {
    return this.#send(encodeInputEnd());
  }

  #send(frames: Uint8Array): Promise<void> {
    const socket = this.#socket;
    if (frames.length === 0 || !socket.writable || socket.write(frames)) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        socket.off("drain", done).off("close", done);
        resolve();
      };
      socket.on("drain", done).on("close", done);
    });
  }

  /** What was written still arrives; output that comes meanwhile is dropped. */
  close(): void {
    this.#end();
    this.#chunks.length = 0;
    this.#socket.end();
    this.#socket.resume();
  }
}
