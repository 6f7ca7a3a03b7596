/**
 * An ICMP echo socket (icmp(7), "ping socket"): its id tells its answers from others'. It hears of
 * errors about its requests too: that is what ping and traceroute print.
 */
import { Errno, type ErrnoName } from "../../../core/base/errno.ts";
import { type WouldBlock, wouldBlock } from "../kernel/open-file.ts";
import type { Ipv4 } from "./address.ts";
import { defaultTtl, type Packet } from "./packet.ts";
import type { Stack } from "./stack.ts";

export interface EchoAnswer {
  /** Who answered: the one that was asked, or a router that could not pass the request on. */
  readonly from: Ipv4;
  readonly ttl: number;
  readonly sequence: number;
  readonly bytes: Uint8Array;
  readonly kind: "reply" | "unreachable" | "time-exceeded";
  /** Of an error, what it means to a socket. */
  readonly errno: ErrnoName | null;
}

const answersMax = 256;

export class PingSocket {
  readonly #stack: Stack;
  readonly id: number;
  #answers: EchoAnswer[] = [];

  constructor(stack: Stack) {
    this.#stack = stack;
    this.id = freeId(stack);
    stack.sockets.pings.set(this.id, this);
  }

  /** ENETUNREACH, EMSGSIZE, EACCES for a broadcast address. */
  send(destination: Ipv4, sequence: number, bytes: Uint8Array, ttl = defaultTtl): void {
    if (this.#stack.isBroadcast(destination)) throw new Errno("EACCES");
    const { source } = this.#stack.route(destination);
    const payload = { protocol: "icmp", type: "echo-request", id: this.id, sequence, bytes } as const;
    this.#stack.send({ protocol: "ipv4", source, destination, ttl, payload });
  }

  receive(): EchoAnswer | WouldBlock {
    return this.#answers.shift() ?? wouldBlock;
  }

  readable(): boolean {
    return this.#answers.length > 0;
  }

  deliver({ source, ttl, payload }: Packet): void {
    if (payload.protocol !== "icmp" || !("id" in payload)) return;
    const { sequence, bytes } = payload;
    this.#push({ from: source, ttl, sequence, bytes, kind: "reply", errno: null });
  }

  /** `report` is an ICMP error, or our own request when it did not even leave. */
  fail(errno: ErrnoName, report: Packet): void {
    const { payload, source, ttl } = report;
    if (payload.protocol !== "icmp") return;
    const request = "about" in payload ? payload.about.payload : payload;
    if (request.protocol !== "icmp" || !("id" in request)) return;
    const kind = "about" in payload ? payload.type : "unreachable";
    this.#push({ from: source, ttl, sequence: request.sequence, bytes: request.bytes, kind, errno });
  }

  close(): void {
    this.#stack.sockets.pings.delete(this.id);
  }

  #push(answer: EchoAnswer): void {
    if (this.#answers.length < answersMax) this.#answers.push(answer);
  }
}

function freeId({ sockets, network }: Stack): number {
  const start = network.chance(65_536);
  for (let offset = 0; offset < 65_536; offset++) {
    const id = (start + offset) % 65_536;
    if (!sockets.pings.has(id)) return id;
  }
  throw new Errno("EAGAIN");
}
