/**
 * The clients of a task: who sees its output, and the bytes they have for its input. They are outside
 * the kernel; what they do is admitted between two turns, what they are told is told at the end of one.
 *
 * A client that does not read holds the task up once a mebibyte waits for it, as a full pipe would.
 */
import { Changes } from "./kernel/changes.ts";
import type { Attachment, AttachOptions, OutputChunk } from "../../core/engine/machine.ts";

const unreadBytesMax = 1 << 20;

interface Client {
  readonly options: AttachOptions;
  readonly unread: OutputChunk[];
  unreadBytes: number;
  wake: () => void;
  ended: boolean;
  hasGiven: boolean;
}

interface Input {
  readonly bytes: Uint8Array;
  readonly taken: () => void;
}

export interface ClientPort {
  /** Wakes the kernel: something changed that the task's monitor waits for. */
  readonly wake: () => void;
  readonly stdinOnce: boolean;
}

export class Clients {
  readonly #port: ClientPort;
  readonly changes = new Changes();
  readonly #clients = new Set<Client>();
  #inputs: Input[] = [];
  /** The task reads no more, or has ended. */
  #closed = false;
  /** After what is waiting, standard input is at its end. */
  inputEnds = false;

  constructor(port: ClientPort) {
    this.#port = port;
  }

  #changed(): void {
    this.changes.tell();
    this.#port.wake();
  }

  /** The bytes that are next for the task; null when there are none. */
  get input(): Uint8Array | null {
    return this.#inputs[0]?.bytes ?? null;
  }

  /** So many of them are in the task's hands. */
  took(count: number): void {
    const first = this.#inputs[0];
    if (first === undefined) return;
    if (count < first.bytes.length) this.#inputs[0] = { ...first, bytes: first.bytes.subarray(count) };
    else {
      this.#inputs.shift();
      first.taken();
    }
  }

  /** Nobody will read what they give. */
  dropInput(): void {
    for (const { taken } of this.#inputs.splice(0)) taken();
    this.#closed = true;
  }

  get isHeldUp(): boolean {
    return [...this.#clients].some(({ unreadBytes }) => unreadBytes >= unreadBytesMax);
  }

  show(chunk: OutputChunk): void {
    for (const client of this.#clients) {
      if (!client.options.output) continue;
      client.unread.push(chunk);
      client.unreadBytes += chunk.bytes.length;
      client.wake();
    }
  }

  end(): void {
    this.dropInput();
    for (const client of this.#clients) {
      client.ended = true;
      client.wake();
    }
    this.#clients.clear();
  }

  attach(options: AttachOptions, hasEnded: boolean): Attachment {
    const client: Client = {
      options,
      unread: [],
      unreadBytes: 0,
      wake: () => {},
      ended: hasEnded,
      hasGiven: false,
    };
    if (!hasEnded) this.#clients.add(client);
    return {
      output: this.#outputOf(client),
      write: (bytes) => this.#give(client, bytes),
      closeInput: () => {
        this.#endInput(client);
        return Promise.resolve();
      },
      close: () => this.#leave(client),
    };
  }

  async *#outputOf(client: Client): AsyncGenerator<OutputChunk, void, undefined> {
    try {
      for (;;) {
        for (let chunk = client.unread.shift(); chunk !== undefined; chunk = client.unread.shift()) {
          client.unreadBytes -= chunk.bytes.length;
          this.#changed();
          yield chunk;
        }
        if (client.ended) return;
        await new Promise<void>((resolve) => {
          client.wake = resolve;
        });
      }
    } finally {
      this.#leave(client);
    }
  }

  #give(client: Client, bytes: Uint8Array): Promise<void> {
    if (!client.options.stdin || this.#closed || this.inputEnds || bytes.length === 0) return Promise.resolve();
    client.hasGiven = true;
    return new Promise((taken) => {
      this.#inputs.push({ bytes: bytes.slice(), taken });
      this.#changed();
    });
  }

  #endInput(client: Client): void {
    if (!client.options.stdin || !this.#port.stdinOnce) return;
    this.inputEnds = true;
    this.#changed();
  }

  #leave(client: Client): void {
    this.#clients.delete(client);
    client.ended = true;
    client.wake();
    if (client.hasGiven) this.#endInput(client);
    this.#changed();
  }
}
