/**
 * Clients outside, carried onto the daemon's socket as socat(1) does: for each connection a process of
 * the simulated host copies bytes both ways. What the client does (sends, takes, ends, goes away) are
 * inputs of the log; lived again, the same bytes cross the socket at the same steps and nobody reads
 * the answers. A client that reads slowly makes its own process wait and nobody else.
 */
import { Errno } from "../core/base/errno.ts";
import type { WireInput } from "../backends/sim/input-log.ts";
import type { Kernel } from "../backends/sim/kernel/kernel.ts";
import { type Channel, OpenFile, type WouldBlock, wouldBlock } from "../backends/sim/kernel/open-file.ts";
import type { Fd, Sys } from "../backends/sim/kernel/sys.ts";
import { ByteQueue } from "../backends/sim/net/byte-queue.ts";
import type { Stat } from "../core/unionfs/file-system.ts";
import { socketPath } from "./daemon.ts";
import { EventLoop, type Pause } from "./event-loop.ts";

/** A client, as its connection sees it. */
export interface Client {
  /** Resolves when the client has taken the bytes. */
  receive(bytes: Uint8Array): Promise<void>;
  /** The daemon sends no more. */
  finish(): void;
}

/** A connection, as its client sees it. */
export interface Connection {
  /** Resolves when more can be sent. */
  send(bytes: Uint8Array): Promise<void>;
  /** The client sends no more. */
  end(): void;
  /** The client is gone. */
  close(): void;
}

const readBytes = 64 * 1024;
/** So much may be on its way to a client. */
const windowBytes = 256 * 1024;
/** What was taken is told when it comes to so much: one entry of the log for many writes. */
const takenBytes = windowBytes / 4;

export class Relay {
  readonly #kernel: Kernel;
  readonly #pause: Pause;
  readonly #put: (input: WireInput) => void;
  readonly #wires = new Map<number, Wire>();
  readonly #clients = new Map<number, Client>();
  /** Who waits until what he sends has been read. */
  readonly #sending = new Map<number, () => void>();
  #last = 0;

  /** `put` admits an input and has it taken in. */
  constructor(kernel: Kernel, pause: Pause, put: (input: WireInput) => void) {
    this.#kernel = kernel;
    this.#pause = pause;
    this.#put = put;
  }

  connect(client: Client): Connection {
    const connection = ++this.#last;
    this.#clients.set(connection, client);
    this.#put({ kind: "connect", connection });
    return {
      send: (bytes) => this.#send(connection, bytes),
      end: () => this.#put({ kind: "end", connection }),
      close: () => this.#put({ kind: "close", connection }),
    };
  }

  /** The clients of the life before are gone: to be called once, when it has been lived again. */
  hangUp(): void {
    for (const connection of this.#wires.keys()) this.#put({ kind: "close", connection });
  }

  /** An input is taken in, between two turns. One for a connection that is over says nothing. */
  take(input: WireInput): void {
    const { connection } = input;
    if (input.kind === "connect") return this.#open(connection);
    const wire = this.#wires.get(connection);
    switch (input.kind) {
      case "bytes":
        wire?.arrive(input.bytes);
        if (wire === undefined) this.#sent(connection);
        return;
      case "taken":
        return wire?.taken(input.count);
      case "end":
        return wire?.end();
      case "close":
        return wire?.hangUp();
    }
  }

  #send(connection: number, bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      this.#sending.set(connection, resolve);
      this.#put({ kind: "bytes", connection, bytes });
    });
  }

  #sent(connection: number): void {
    this.#sending.get(connection)?.();
    this.#sending.delete(connection);
  }

  #open(connection: number): void {
    this.#last = Math.max(this.#last, connection);
    const wire = new Wire(this.#kernel, {
      receive: this.#receiverOf(connection),
      read: () => this.#sent(connection),
    });
    this.#wires.set(connection, wire);
    const process = this.#kernel.launch("relay", (sys) => carry(this.#kernel, sys, wire, this.#pause));
    process.fds.set(
      outside,
      new OpenFile(wire, { read: true, write: true }, { location: null, path: "outside" }).hold(),
    );
    process.endings.push(() => this.#over(connection));
  }

  /** Gives bytes to the client, and tells what it took. In a life lived again there is nobody to give them to. */
  #receiverOf(connection: number): (bytes: Uint8Array) => void {
    const client = this.#clients.get(connection);
    let taken = 0;
    return (bytes) =>
      void client?.receive(bytes).then(() => {
        taken += bytes.length;
        if (taken < takenBytes) return;
        this.#put({ kind: "taken", connection, count: taken });
        taken = 0;
      });
  }

  #over(connection: number): void {
    this.#wires.delete(connection);
    this.#clients.get(connection)?.finish();
    this.#clients.delete(connection);
    this.#sent(connection);
  }
}

/** The descriptor behind which the client is. */
const outside: Fd = 3;

/** The program: it ends when the daemon has sent everything, or when either side is gone. */
function carry(kernel: Kernel, sys: Sys, wire: Wire, pause: Pause): Promise<number> {
  const loop = new EventLoop(kernel, sys, pause);
  loop.unblock(outside);
  return loop.run(async () => {
    try {
      const socket = await connected(loop);
      void carryIn(loop, wire, socket);
      await copy(loop, socket, outside);
      return 0;
    } catch (thrown) {
      if (thrown instanceof Errno) return 1;
      throw thrown;
    }
  });
}

function connected(loop: EventLoop): Promise<Fd> {
  return loop.call(async (sys) => {
    const fd = sys.socket("unix");
    await sys.connect(fd, { family: "unix", path: socketPath });
    return loop.unblock(fd);
  });
}

/** A client that ends may still read; one that is gone ends the connection. */
async function carryIn(loop: EventLoop, wire: Wire, socket: Fd): Promise<void> {
  try {
    await copy(loop, outside, socket);
    await (wire.isGone ? loop.close(socket) : loop.call((sys) => sys.shutdown(socket, "write")));
  } catch (thrown) {
    // The daemon reads no more: what it has to say still comes.
    if (!(thrown instanceof Errno)) throw thrown;
  }
}

async function copy(loop: EventLoop, from: Fd, to: Fd): Promise<void> {
  for (;;) {
    const bytes = await loop.read(from, readBytes);
    if (bytes.length === 0) return;
    await loop.write(to, bytes);
  }
}

/** What a connection does outside the kernel. */
interface Outside {
  receive(bytes: Uint8Array): void;
  /** All that arrived has been read. */
  read(): void;
}

/** The outside end of one connection, as a file of the process that carries it. */
class Wire implements Channel {
  readonly #kernel: Kernel;
  readonly #outside: Outside;
  readonly #arrived = new ByteQueue();
  #isEnded = false;
  /** Bytes given to the client that it is not known to have taken. */
  #untaken = 0;
  isGone = false;

  constructor(kernel: Kernel, outsideOfIt: Outside) {
    this.#kernel = kernel;
    this.#outside = outsideOfIt;
  }

  /** For a snapshot. */
  inspect(): unknown {
    return [this.#arrived.peek(0, this.#arrived.size), this.#isEnded, this.#untaken];
  }

  arrive(bytes: Uint8Array): void {
    if (!this.#isEnded) this.#arrived.put(bytes);
    if (this.#arrived.size === 0) this.#outside.read();
  }

  taken(count: number): void {
    this.#untaken -= count;
  }

  end(): void {
    this.#isEnded = true;
  }

  hangUp(): void {
    this.isGone = true;
    this.#isEnded = true;
    this.#arrived.drop(this.#arrived.size);
  }

  read(length: number): Uint8Array | WouldBlock {
    if (this.#arrived.size === 0) return this.#isEnded ? new Uint8Array(0) : wouldBlock;
    const bytes = this.#arrived.take(length);
    if (this.#arrived.size === 0) this.#outside.read();
    return bytes;
  }

  write(bytes: Uint8Array): number | WouldBlock {
    if (this.isGone) throw new Errno("EPIPE");
    const piece = bytes.slice(0, windowBytes - this.#untaken);
    if (piece.length === 0) return wouldBlock;
    this.#untaken += piece.length;
    this.#outside.receive(piece);
    return piece.length;
  }

  readable(): boolean {
    return this.#arrived.size > 0 || this.#isEnded;
  }

  writable(): boolean {
    return this.isGone || this.#untaken < windowBytes;
  }

  stat(): Stat {
    return this.#kernel.tree.stat(this.#kernel.tree.root);
  }

  close(): void {}
}
