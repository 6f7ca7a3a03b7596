/**
 * A task as its monitor's control connection shows it. One connection carries release, signals and
 * resizes to the monitor, and "started", "failed" and "exited" back; each attachment has its own.
 */
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import type { HostPath } from "../../core/base/brand.ts";
import { Errno } from "../../core/base/errno.ts";
import { TsboxError } from "../../core/base/error.ts";
import type { Attachment, AttachOptions, Task, TaskExit, TaskKey } from "../../core/engine/machine.ts";
import { PlanError } from "../../core/runtime/plan-error.ts";
import { failedWith } from "./errors.ts";
import { connectMonitor, MonitorAttachment } from "./monitor-socket.ts";
import { encodeRelease, encodeResize, encodeSignal, type MonitorFrame } from "./wire/monitor.ts";

export interface TaskPlace {
  readonly key: TaskKey;
  /** The monitor's socket. */
  readonly socket: HostPath;
  /** Where the monitor records the exit. */
  readonly exit: HostPath;
}

/** What identifies a process: its pid alone may be given to another. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot. */
  readonly startTime: bigint;
}

export class LinuxTask implements Task {
  readonly key: TaskKey;
  readonly exited: Promise<TaskExit | "lost">;
  readonly #place: TaskPlace;
  readonly #control: Socket;
  readonly #attachments = new Set<Socket>();
  readonly #exited = Promise.withResolvers<TaskExit | "lost">();
  readonly #welcome = Promise.withResolvers<boolean>();
  readonly #released = Promise.withResolvers<void>();
  #asked = false;
  #identity: ProcessIdentity = { pid: 0, startTime: 0n };
  #wasReleased = false;
  #ended = false;
  #detached = false;

  /** For a task whose monitor listens; the connection may still be on its way. */
  constructor(place: TaskPlace) {
    this.#place = place;
    this.key = place.key;
    this.exited = this.#exited.promise;
    this.#released.promise.catch(() => {}); // told to whoever releases
    this.#control = connectMonitor(
      place.socket,
      { stdin: false, output: false },
      { frame: (frame) => this.#take(frame), closed: () => this.#hungUp() },
    );
  }

  /** The task of an earlier engine; null when no monitor answers any more. */
  static async find(place: TaskPlace): Promise<LinuxTask | null> {
    const task = new LinuxTask(place);
    return (await task.#welcome.promise) ? task : null;
  }

  /** At the gate the process is known. */
  identify({ pid, startTime }: ProcessIdentity): void {
    this.#identity = { pid, startTime };
  }

  get pid(): number {
    return this.#identity.pid;
  }

  get identity(): ProcessIdentity {
    return this.#identity;
  }

  /** Whether the gate was open when the monitor greeted us. */
  get wasReleased(): boolean {
    return this.#wasReleased;
  }

  #take(frame: MonitorFrame): void {
    switch (frame.kind) {
      case "welcome":
        this.#identity = frame;
        this.#wasReleased = frame.released;
        return this.#welcome.resolve(true);
      case "started":
        return this.#released.resolve();
      case "failed":
        return this.#released.reject(new PlanError(frame.failure));
      case "exited":
        return this.#end({ code: frame.code, signal: frame.signal, at: frame.at });
      case "refused": // a signal to a process that has just ended: "exited" follows
      case "output":
      case "output-end":
        return;
    }
  }

  /** What has ended has run: a short program's end may be told before somebody asked for its start. */
  #end(exit: TaskExit | "lost"): void {
    this.#ended = true;
    this.#control.destroy();
    if (exit !== "lost") this.#released.resolve();
    this.#exited.resolve(exit);
  }

  #hungUp(): void {
    this.#welcome.resolve(false);
    if (!this.#ended && !this.#detached) this.#end(readExit(this.#place.exit) ?? "lost");
    this.#released.reject(new TsboxError("failed", "the monitor of the container ended before its program started"));
  }

  release(): Promise<void> {
    if (!this.#asked && !this.#ended) this.#control.write(encodeRelease());
    this.#asked = true;
    return this.#released.promise;
  }

  async attach(options: AttachOptions): Promise<Attachment> {
    const attachment = new MonitorAttachment(this.#place.socket, options);
    await (!this.#asked && !this.#wasReleased ? attachment.sent : attachment.welcome);
    const { socket } = attachment;
    if (this.#detached) socket.destroy();
    this.#attachments.add(socket);
    socket.once("close", () => this.#attachments.delete(socket));
    return attachment;
  }

  async signal(number: number): Promise<void> {
    this.#send(encodeSignal(number));
  }

  async resize(rows: number, columns: number): Promise<void> {
    this.#send(encodeResize(rows, columns));
  }

  #send(frame: Uint8Array): void {
    if (this.#ended) throw new Errno("ESRCH");
    this.#control.write(frame);
  }

  /** Lets go of a task that goes on: `exited` stays open. */
  detach(): void {
    this.#detached = true;
    this.#control.destroy();
    for (const socket of this.#attachments) socket.destroy();
  }
}

/** The exit a monitor recorded, null when there is none. */
export function readExit(path: HostPath): TaskExit | null {
  try {
    const { code, signal, at } = JSON.parse(readFileSync(path, "utf8")) as { code: number; signal: number; at: string };
    return { code, signal, at: BigInt(at) };
  } catch (thrown) {
    if (failedWith(thrown, "ENOENT", "ENOTDIR")) return null;
    throw new TsboxError("corrupt", `${path}: not the record of an exit`, {}, { cause: thrown });
  }
}
