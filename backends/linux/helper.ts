/**
 * The running helper (`tsbox-helper serve`): requests go in, each is answered once, in any order.
 * One process is spawned when the machine opens, and afterwards the engine itself never forks: a
 * fork copies Node's page tables, which takes 11 ms at 256 MB. Should the helper die, the requests
 * under way fail, and the next one starts another; containers do not notice, as their monitors are
 * processes of their own.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { TsboxError } from "../../core/base/error.ts";
import { FrameReader } from "./wire/frame.ts";
import { decodeReply, encodeRequest, type Reply, type Request } from "./wire/request.ts";

type Result = Reply["result"];

interface Waiting {
  /** Takes the first of a perform's two answers. */
  readonly listening: (() => void) | null;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: Error) => void;
}

export class Helper {
  readonly #path: string;
  #serve: Serve;
  #lastId = 0;
  #closed = false;

  constructor(path: string) {
    this.#path = path;
    this.#serve = new Serve(path);
  }

  /** Throws TsboxError "invalid" for what the wire cannot carry, "failed" when the helper ends before it answers. */
  async request(request: Request, listening: (() => void) | null = null): Promise<Result> {
    if (this.#closed) throw new TsboxError("unavailable", "the engine is being shut down");
    this.#lastId = (this.#lastId + 1) % 2 ** 32;
    const frame = encodeRequest(this.#lastId, request);
    if (this.#serve.ended) this.#serve = new Serve(this.#path);
    return this.#serve.ask(this.#lastId, frame, listening);
  }

  /** Resolves when the helper has ended. Monitors live on. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#serve.close();
  }
}

class Serve {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ended: Promise<void>;
  #why = "the tsbox helper ended";
  ended = false;

  constructor(path: string) {
    // A session of its own: Ctrl-C in the engine's terminal is not meant for it.
    this.#child = spawn(path, ["serve"], { stdio: ["pipe", "pipe", "inherit"], cwd: "/", env: {}, detached: true });
    const reader = new FrameReader();
    this.#child.stdout?.on("data", (chunk: Uint8Array) => {
      for (const frame of reader.push(chunk)) this.#answer(decodeReply(frame));
    });
    this.#child.stdin?.on("error", () => {}); // "exit" follows
    this.#child.once("error", (error) => {
      this.#why = `the tsbox helper cannot be run: ${error.message}`;
    });
    // Not "close": a program that waits at its gate holds the other end of our pipe.
    this.#ended = new Promise((resolve) => {
      const end = (): void => {
        this.#fail();
        resolve();
      };
      this.#child.once("exit", end).once("error", end);
    });
  }

  ask(id: number, frame: Uint8Array, listening: (() => void) | null): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { listening, resolve, reject });
      this.#child.stdin?.write(frame);
    });
  }

  #answer({ id, result }: Reply): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    if (result.kind === "listening" && waiting.listening !== null) return waiting.listening();
    this.#waiting.delete(id);
    waiting.resolve(result);
  }

  #fail(): void {
    this.ended = true;
    this.#child.stdout?.destroy();
    for (const { reject } of this.#waiting.values()) reject(new TsboxError("failed", this.#why));
    this.#waiting.clear();
  }

  close(): Promise<void> {
    this.#child.stdin?.end();
    return this.#ended;
  }
}
