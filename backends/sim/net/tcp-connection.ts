/**
 * One end of a TCP connection (RFC 9293). What it has to send lies in `#sending` from the first byte
 * that is not acknowledged on; what came and was not read yet, in `#received`. The window it offers
 * is the room left there.
 *
 *   open     SYN_SENT ─▶ ESTABLISHED ◀─ SYN_RECV
 *   we end   FIN_WAIT1 ─▶ FIN_WAIT2 ─▶ TIME_WAIT      both at once: CLOSING
 *   they end CLOSE_WAIT ─▶ LAST_ACK ─▶ CLOSED
 *
 * Links keep the order, so a segment that does not come next was preceded by a loss: it is dropped,
 * and everything from the lost one on is sent again.
 */
import { Errno, type ErrnoName } from "../../../core/base/errno.ts";
import { type WouldBlock, wouldBlock } from "../kernel/open-file.ts";
import { ByteQueue } from "./byte-queue.ts";
import { defaultTtl, type Endpoint, type Tcp } from "./packet.ts";
import type { Stack } from "./stack.ts";
import { sequenceAfter, sequenceDistance } from "./tcp-sequence.ts";

/** As ss(8) and /proc/net/tcp call them. */
export type TcpState =
  | "SYN_SENT"
  | "SYN_RECV"
  | "ESTABLISHED"
  | "FIN_WAIT1"
  | "FIN_WAIT2"
  | "CLOSE_WAIT"
  | "LAST_ACK"
  | "CLOSING"
  | "TIME_WAIT"
  | "CLOSED";

interface Ends {
  readonly local: Endpoint;
  readonly remote: Endpoint;
}

const receiveBytesMax = 65_535;
const sendBytesMax = 262_144;
const headerBytes = 40;
const second = 1_000_000_000n;
const firstRetryNanos = 200_000_000n;
const firstSynRetryNanos = second;
/** tcp_retries2 and tcp_syn_retries. */
const retriesMax = 15;
const synRetriesMax = 6;
const probesMax = 8;
const retryNanosMax = 120n * second;
/** TCP_TIMEWAIT_LEN; also how long an end that was closed waits for the other to end (tcp_fin_timeout). */
const lingerNanos = 60n * second;

const canReceive: ReadonlySet<TcpState> = new Set(["ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2"]);
const canSend: ReadonlySet<TcpState> = new Set(["ESTABLISHED", "CLOSE_WAIT", "FIN_WAIT1", "CLOSING", "LAST_ACK"]);

export class TcpConnection {
  readonly #stack: Stack;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly #opened: (opened: boolean) => void;
  #state: TcpState;
  readonly #sending = new ByteQueue();
  readonly #received = new ByteQueue();
  /** The oldest byte of ours that is not acknowledged; the next one to send. */
  #unacknowledged: number;
  #next: number;
  /** The next byte of theirs. */
  #expected = 0;
  #theirWindow = 0;
  #offered = receiveBytesMax;
  #ending = false;
  #ended = false;
  #closed = false;
  #error: ErrnoName | null = null;
  #retries = 0;
  #cancelTimer: (() => void) | null = null;

  private constructor(stack: Stack, ends: Ends, state: TcpState, opened: (opened: boolean) => void) {
    this.#stack = stack;
    this.local = ends.local;
    this.remote = ends.remote;
    this.#state = state;
    this.#opened = opened;
    this.#unacknowledged = stack.network.chance(2 ** 32);
    this.#next = sequenceAfter(this.#unacknowledged, 1);
    stack.sockets.addConnection(this);
  }

  /** Our end asks first. */
  static connecting(stack: Stack, ends: Ends): TcpConnection {
    const connection = new TcpConnection(stack, ends, "SYN_SENT", () => {});
    connection.#sendSyn();
    connection.#startTimer();
    return connection;
  }

  /** Theirs asked; `opened` is told once they have acknowledged our answer, or never will. */
  static answering(stack: Stack, ends: Ends, syn: Tcp, opened: (opened: boolean) => void): TcpConnection {
    const connection = new TcpConnection(stack, ends, "SYN_RECV", opened);
    connection.#expected = sequenceAfter(syn.sequence, 1);
    connection.#theirWindow = syn.window;
    connection.#sendSyn();
    connection.#startTimer();
    return connection;
  }

  get state(): TcpState {
    return this.#state;
  }

  /** Bytes that wait: to be read, and to be acknowledged (ss(8): Recv-Q, Send-Q). */
  get queues(): { received: number; sending: number } {
    return { received: this.#received.size, sending: this.#sending.size };
  }

  // The program's side

  /** Whether it is open by now. ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH. */
  connected(): true | WouldBlock {
    this.#throwError();
    return this.#state === "SYN_SENT" ? wouldBlock : true;
  }

  /** An empty array is the end. ECONNRESET, ETIMEDOUT. */
  read(length: number): Uint8Array | WouldBlock {
    if (this.#received.size > 0) {
      const bytes = this.#received.take(length);
      this.#offerMore();
      return bytes;
    }
    this.#throwError();
    return this.#ended || this.#state === "CLOSED" ? new Uint8Array(0) : wouldBlock;
  }

  /** How many bytes were taken. EPIPE after the end of either side. */
  write(bytes: Uint8Array): number | WouldBlock {
    this.#throwError();
    if (this.#state === "SYN_SENT" || this.#state === "SYN_RECV") return wouldBlock;
    if (this.#ending || !canSend.has(this.#state)) throw new Errno("EPIPE");
    const taken = bytes.slice(0, sendBytesMax - this.#sending.size);
    if (taken.length === 0 && bytes.length > 0) return wouldBlock;
    this.#sending.put(taken);
    this.#flush();
    return taken.length;
  }

  readable(): boolean {
    return this.#received.size > 0 || this.#ended || this.#error !== null || this.#state === "CLOSED";
  }

  writable(): boolean {
    if (this.#state === "SYN_SENT" || this.#state === "SYN_RECV") return false;
    return this.#sending.size < sendBytesMax || this.#error !== null;
  }

  /** The end of what we send (shutdown(2), SHUT_WR). */
  endSending(): void {
    if (this.#ending || this.#state === "CLOSED") return;
    this.#ending = true;
    this.#flush();
  }

  /** The last descriptor is gone. Bytes that were not read make it a reset (RFC 2525, 2.17). */
  close(): void {
    this.#closed = true;
    if (this.#state === "SYN_SENT" || this.#received.size > 0) return this.reset();
    this.endSending();
    if (this.#state === "FIN_WAIT2") this.#linger("FIN_WAIT2");
  }

  /** Tells the other end that this one is gone. */
  reset(): void {
    if (this.#state !== "SYN_SENT" && this.#state !== "CLOSED" && this.#state !== "TIME_WAIT")
      this.#send({ rst: true, sequence: this.#next });
    this.#end(null);
  }

  /** The network is gone: nothing more can be said. */
  abandon(errno: ErrnoName): void {
    this.#end(errno);
  }

  /** An ICMP error ends only what is not open yet (RFC 1122, 4.2.3.9). */
  hardError(errno: ErrnoName): void {
    if (this.#state === "SYN_SENT") this.#end(errno);
  }

  // The network's side

  receive(segment: Tcp): void {
    if (this.#state === "SYN_SENT") return this.#receiveAnswer(segment);
    const next = this.#inOrder(segment);
    if (next === null) return segment.rst ? undefined : this.#acknowledge();
    if (next.rst) return this.#wasReset();
    if (next.syn) return this.#acknowledge();
    if (next.acknowledgment !== null) this.#receiveAcknowledgment(next.acknowledgment, next.window);
    this.#receiveBytes(next);
    this.#flush();
  }

  #receiveAnswer({ syn, rst, sequence, acknowledgment, window }: Tcp): void {
    if (acknowledgment !== this.#next) return;
    if (rst) return this.#end("ECONNREFUSED");
    if (!syn) return;
    this.#expected = sequenceAfter(sequence, 1);
    this.#unacknowledged = acknowledgment;
    this.#theirWindow = window;
    this.#stopTimer();
    this.#state = "ESTABLISHED";
    this.#acknowledge();
    this.#flush();
  }

  /** The segment without what came before; null when it is not the next one. */
  #inOrder(segment: Tcp): Tcp | null {
    const early = sequenceDistance(segment.sequence, this.#expected);
    if (early === 0) return segment;
    if (early < 0 || segment.syn || segment.rst) return null;
    const isNews = segment.bytes.length + Number(segment.fin) > early;
    return isNews ? { ...segment, sequence: this.#expected, bytes: segment.bytes.subarray(early) } : null;
  }

  #wasReset(): void {
    if (this.#state === "SYN_RECV") return this.#end(null);
    this.#end(this.#state === "CLOSE_WAIT" ? "EPIPE" : "ECONNRESET");
  }

  #receiveAcknowledgment(acknowledgment: number, window: number): void {
    this.#theirWindow = window;
    // Who answers but has no room is alive: it is asked on and on.
    if (window === 0) this.#retries = Math.min(this.#retries, probesMax);
    let acknowledged = sequenceDistance(this.#unacknowledged, acknowledgment);
    if (acknowledged <= 0 || sequenceDistance(acknowledgment, this.#next) < 0) return;
    if (this.#state === "SYN_RECV") {
      this.#state = "ESTABLISHED";
      acknowledged -= 1;
      this.#opened(true);
    }
    this.#unacknowledged = acknowledgment;
    const isEndKnown = acknowledged > this.#sending.size;
    this.#sending.drop(acknowledged);
    this.#retries = 0;
    this.#stopTimer();
    if (this.#unacknowledged !== this.#next) this.#startTimer();
    if (isEndKnown) this.#endAcknowledged();
  }

  #endAcknowledged(): void {
    if (this.#state === "LAST_ACK") this.#end(null);
    else if (this.#state === "CLOSING") this.#linger("TIME_WAIT");
    else if (this.#closed) this.#linger("FIN_WAIT2");
    else this.#state = "FIN_WAIT2";
  }

  #receiveBytes({ bytes, fin }: Tcp): void {
    if (bytes.length === 0 && !fin) return;
    if (this.#closed && bytes.length > 0) return this.reset();
    if (!canReceive.has(this.#state)) return this.#acknowledge();
    const taken = bytes.slice(0, receiveBytesMax - this.#received.size);
    this.#received.put(taken);
    this.#expected = sequenceAfter(this.#expected, taken.length);
    if (fin && taken.length === bytes.length) this.#receiveEnd();
    this.#acknowledge();
  }

  #receiveEnd(): void {
    this.#expected = sequenceAfter(this.#expected, 1);
    this.#ended = true;
    if (this.#state === "ESTABLISHED") this.#state = "CLOSE_WAIT";
    else if (this.#state === "FIN_WAIT1") this.#state = "CLOSING";
    else this.#linger("TIME_WAIT");
  }

  // Sending

  /** Sends what the other end has room for, and our end once all is out. */
  #flush(): void {
    if (!canSend.has(this.#state)) return;
    for (;;) {
      const sent = sequenceDistance(this.#unacknowledged, this.#next);
      const room = Math.min(this.#theirWindow - sent, this.#segmentBytes());
      const bytes = this.#sending.peek(sent, room);
      if (bytes.length === 0) break;
      this.#send({ bytes });
      this.#next = sequenceAfter(this.#next, bytes.length);
    }
    this.#sendEnd();
    if (this.#unacknowledged !== this.#next || this.#sending.size > 0) this.#startTimer();
  }

  #sendEnd(): void {
    const isAllOut = sequenceDistance(this.#unacknowledged, this.#next) === this.#sending.size;
    if (!this.#ending || !isAllOut) return;
    this.#send({ fin: true });
    this.#next = sequenceAfter(this.#next, 1);
    if (this.#state === "ESTABLISHED") this.#state = "FIN_WAIT1";
    else if (this.#state === "CLOSE_WAIT") this.#state = "LAST_ACK";
  }

  #sendSyn(): void {
    const answers = this.#state === "SYN_RECV";
    this.#send({ syn: true, sequence: this.#unacknowledged, acknowledgment: answers ? this.#expected : null });
  }

  #acknowledge(): void {
    this.#send({});
  }

  /** Says that there is room again, once it is worth a segment (RFC 9293, 3.8.6.2.2). */
  #offerMore(): void {
    const room = receiveBytesMax - this.#received.size;
    const few = Math.min(this.#segmentBytes(), receiveBytesMax / 2);
    if (canReceive.has(this.#state) && this.#offered < few && room >= few) this.#acknowledge();
  }

  #send(part: Partial<Tcp>): void {
    this.#offered = receiveBytesMax - this.#received.size;
    const payload: Tcp = {
      protocol: "tcp",
      sourcePort: this.local.port,
      destinationPort: this.remote.port,
      sequence: this.#next,
      acknowledgment: this.#expected,
      syn: false,
      fin: false,
      rst: false,
      window: this.#offered,
      bytes: new Uint8Array(0),
      ...part,
    };
    const { address: source } = this.local;
    const { address: destination } = this.remote;
    try {
      this.#stack.send({ protocol: "ipv4", source, destination, ttl: defaultTtl, payload });
    } catch (thrown) {
      if (!(thrown instanceof Errno)) throw thrown;
      this.hardError(thrown.errno);
    }
  }

  /** Bytes of a segment on the way there: the link's MTU without the headers. */
  #segmentBytes(): number {
    try {
      return this.#stack.route(this.remote.address).device.mtu - headerBytes;
    } catch (thrown) {
      if (thrown instanceof Errno) return 536;
      throw thrown;
    }
  }

  // Time

  #startTimer(): void {
    if (this.#cancelTimer !== null) return;
    const isOpening = this.#state === "SYN_SENT" || this.#state === "SYN_RECV";
    const wait = (isOpening ? firstSynRetryNanos : firstRetryNanos) << BigInt(this.#retries);
    this.#cancelTimer = this.#stack.network.clock.after(wait < retryNanosMax ? wait : retryNanosMax, () => {
      this.#cancelTimer = null;
      this.#retry(isOpening);
    });
  }

  #stopTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }

  /** Nothing was acknowledged in time: everything from there on goes again, or a byte to ask for room. */
  #retry(isOpening: boolean): void {
    if (this.#retries++ >= (isOpening ? synRetriesMax : retriesMax)) return this.#end("ETIMEDOUT");
    if (isOpening) this.#sendSyn();
    else this.#sendAgain();
    this.#startTimer();
  }

  #sendAgain(): void {
    const isProbe = this.#theirWindow === 0 && this.#next === this.#unacknowledged;
    if (isProbe) return this.#send({ bytes: this.#sending.peek(0, 1) });
    this.#next = this.#unacknowledged;
    this.#theirWindow = Math.max(this.#theirWindow, 1);
    this.#flush();
  }

  /** The connection is over but its name is kept for a while, so that a late segment finds no successor. */
  #linger(state: "TIME_WAIT" | "FIN_WAIT2"): void {
    this.#state = state;
    this.#stopTimer();
    this.#cancelTimer = this.#stack.network.clock.after(lingerNanos, () => this.#end(null));
  }

  #end(error: ErrnoName | null): void {
    if (this.#state === "CLOSED") return;
    if (this.#state === "SYN_RECV") this.#opened(false);
    this.#state = "CLOSED";
    this.#error = error;
    this.#sending.clear();
    this.#stopTimer();
    this.#stack.sockets.removeConnection(this);
  }

  /** An error is told once. */
  #throwError(): void {
    const error = this.#error;
    this.#error = null;
    if (error !== null) throw new Errno(error);
  }
}
