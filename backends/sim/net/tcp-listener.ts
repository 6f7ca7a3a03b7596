/** A listening TCP socket (listen(2)): connections wait in its backlog until they are accepted. */
import { Errno } from "../../../core/base/errno.ts";
import { type WouldBlock, wouldBlock } from "../kernel/open-file.ts";
import type { Endpoint, Tcp } from "./packet.ts";
import type { Stack } from "./stack.ts";
import { TcpConnection } from "./tcp-connection.ts";

/** net.core.somaxconn. */
const backlogMax = 4096;

export class TcpListener {
  readonly #stack: Stack;
  readonly local: Endpoint;
  readonly #backlog: number;
  #established: TcpConnection[] = [];
  readonly #opening = new Set<TcpConnection>();

  /** EADDRINUSE when another one listens there. */
  constructor(stack: Stack, local: Endpoint, backlog: number) {
    if (stack.sockets.isTaken("tcp", local, true)) throw new Errno("EADDRINUSE");
    this.#stack = stack;
    this.local = local;
    this.#backlog = Math.min(Math.max(backlog, 0), backlogMax);
    stack.sockets.addListener(this);
  }

  accept(): TcpConnection | WouldBlock {
    return this.#established.shift() ?? wouldBlock;
  }

  readable(): boolean {
    return this.#established.length > 0;
  }

  /** A SYN. When the backlog is full it is not answered, and the client asks again. */
  receive(local: Endpoint, remote: Endpoint, syn: Tcp): void {
    if (this.#established.length > this.#backlog || this.#opening.size > this.#backlog) return;
    const connection = TcpConnection.answering(this.#stack, { local, remote }, syn, (opened) => {
      this.#opening.delete(connection);
      if (opened) this.#established.push(connection);
    });
    this.#opening.add(connection);
  }

  /** Who was not accepted yet is reset. */
  close(): void {
    this.#stack.sockets.removeListener(this);
    for (const connection of [...this.#opening, ...this.#established]) connection.reset();
    this.#opening.clear();
    this.#established = [];
  }
}
