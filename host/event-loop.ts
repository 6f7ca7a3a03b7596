/**
 * An event loop on system calls: how a program with many awaits at once (the command line, the daemon)
 * lives in a process that can make one call at a time, as libuv does on Linux. Continuations run until
 * they rest; then the calls they asked for are made in order; then poll(2) waits for whoever is next.
 *
 * Continuations may also be woken from outside the kernel (the engine's promises): `wake` makes an
 * eventfd(2) readable, so that the process gets its turn.
 */
import { Errno } from "../core/base/errno.ts";
import type { Kernel } from "../backends/sim/kernel/kernel.ts";
import { type Channel, OpenFile } from "../backends/sim/kernel/open-file.ts";
import type { Process } from "../backends/sim/kernel/process.ts";
import type { Fd, Sys } from "../backends/sim/kernel/sys.ts";
import { assert } from "../core/base/assert.ts";

/** What a loop needs of the world around the kernel: lets continuations run; a macrotask. */
export type Pause = () => Promise<void>;

interface Waiter {
  readonly fd: Fd;
  readonly direction: "read" | "write";
  /** True when it is done; false when it has to wait again. */
  readonly attempt: () => Promise<boolean>;
  readonly fail: (thrown: Error) => void;
}

const writeBytes = 16 * 1024;
const brokenPipe = 13;

export class EventLoop {
  readonly sys: Sys;
  readonly #kernel: Kernel;
  readonly #process: Process;
  readonly #pause: Pause;
  #calls: (() => Promise<void>)[] = [];
  #waiters: Waiter[] = [];
  #woken = false;
  #activity: () => void = () => {};

  /** To be made in the turn of the process whose calls these are. */
  constructor(kernel: Kernel, sys: Sys, pause: Pause) {
    const process = kernel.turns.current;
    assert(process !== null, "an event loop begins in its process's turn");
    this.#kernel = kernel;
    this.#process = process;
    this.#pause = pause;
    this.sys = sys;
    // As Node does: who writes to a closed connection gets EPIPE and goes on.
    sys.onSignal(brokenPipe, "ignore");
  }

  /** Runs `main` and whatever it starts, until it has a result. */
  async run<T>(main: () => Promise<T>): Promise<T> {
    const wake = this.#openWake();
    let outcome: { value: T } | { thrown: unknown } | null = null;
    const settle = (settled: { value: T } | { thrown: unknown }): void => {
      outcome = settled;
      this.wake();
    };
    main().then(
      (value) => settle({ value }),
      (thrown: unknown) => settle({ thrown }),
    );
    while (outcome === null) await this.#turn(wake);
    this.sys.close(wake);
    const settled = outcome as { value: T } | { thrown: unknown };
    if ("thrown" in settled) throw settled.thrown;
    return settled.value;
  }

  /** Makes a call that does not wait long, when it is this process's turn. */
  call<T>(make: (sys: Sys) => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#calls.push(async () => {
        try {
          resolve(await make(this.sys));
        } catch (thrown) {
          reject(thrown instanceof Error ? thrown : new Error(String(thrown)));
        }
      });
      this.wake();
    });
  }

  /** Up to `length` bytes when there are some; none at the end. */
  read(fd: Fd, length: number): Promise<Uint8Array> {
    return this.#wait(fd, "read", (sys) => sys.read(fd, length));
  }

  /** Resolves when all bytes were taken. Of a descriptor that may block, as the terminal's, it waits in its own turn. */
  async write(fd: Fd, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const piece = bytes.subarray(at, at + writeBytes);
      at += await this.#wait(fd, "write", (sys) => sys.write(fd, piece));
    }
  }

  accept(fd: Fd): Promise<Fd> {
    return this.#wait(fd, "read", async (sys) => this.unblock((await sys.accept(fd)).fd));
  }

  /** Sets O_NONBLOCK (fcntl(2)) on a descriptor of our own. */
  unblock(fd: Fd): Fd {
    const file = this.#process.fds.get(fd);
    if (file !== undefined) file.nonBlocking = true;
    return fd;
  }

  /** Closes a descriptor; whoever waits for it gets EBADF. */
  close(fd: Fd): Promise<void> {
    return this.call((sys) => {
      for (const waiter of this.#waiters) if (waiter.fd === fd) waiter.fail(new Errno("EBADF"));
      this.#waiters = this.#waiters.filter((waiter) => waiter.fd !== fd);
      sys.close(fd);
    });
  }

  /** Something is to be done. */
  wake(): void {
    this.#woken = true;
    this.#activity();
    if (this.#kernel.turns.current !== this.#process) this.#kernel.turns.wake();
  }

  #wait<T>(fd: Fd, direction: Waiter["direction"], make: (sys: Sys) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const attempt = async (): Promise<boolean> => {
        try {
          resolve(await make(this.sys));
        } catch (thrown) {
          if (isErrno(thrown, "EAGAIN", "EINTR")) return false;
          reject(thrown instanceof Error ? thrown : new Error(String(thrown)));
        }
        return true;
      };
      this.#waiters.push({ fd, direction, attempt, fail: reject });
      this.wake();
    });
  }

  async #turn(wake: Fd): Promise<void> {
    this.#woken = false;
    await this.#pause();
    await this.#kernel.turns.quiet();
    if (this.#calls.length > 0) for (const call of this.#calls.splice(0)) await call();
    else if (!this.#woken) await this.#poll(wake);
  }

  async #poll(wake: Fd): Promise<void> {
    if (this.#waiters.length === 0) {
      // A chunk of the program itself is being loaded: that takes no time inside.
      await new Promise<void>((resolve) => {
        this.#activity = resolve;
      });
      return;
    }
    const wanted = this.#waiters.map(({ fd, direction }) => ({
      fd,
      read: direction === "read",
      write: direction === "write",
    }));
    const ready = await this.#ready([...wanted, { fd: wake, read: true, write: false }]);
    const due = this.#waiters.filter(({ fd }) => ready.includes(fd));
    this.#waiters = this.#waiters.filter(({ fd }) => !ready.includes(fd));
    for (const waiter of due) if (!(await waiter.attempt())) this.#waiters.push(waiter);
  }

  async #ready(wanted: readonly { fd: Fd; read: boolean; write: boolean }[]): Promise<readonly Fd[]> {
    try {
      return await this.sys.poll(wanted, null);
    } catch (thrown) {
      if (isErrno(thrown, "EINTR")) return [];
      throw thrown;
    }
  }

  #openWake(): Fd {
    const number = this.#kernel.newInode();
    const channel: Channel = {
      read: () => Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0),
      write: (bytes) => bytes.length,
      readable: () => this.#woken,
      writable: () => true,
      stat: () => ({ ...this.#kernel.tree.stat(this.#kernel.tree.root), inode: number as never, kind: "file" }),
      close: () => {},
    };
    let fd = 3;
    while (this.#process.fds.has(fd)) fd++;
    const place = { location: null, path: "anon_inode:[eventfd]" };
    this.#process.fds.set(fd, new OpenFile(channel, { read: true, write: true }, place).hold());
    this.#process.closeOnExec.add(fd);
    return fd;
  }
}

export function isErrno(thrown: unknown, ...names: readonly string[]): boolean {
  return thrown instanceof Errno && names.includes(thrown.errno);
}
