/**
 * The simulated host's console: a terminal whose keys come from outside and whose screen is outside.
 * A small process moves its output, as sshd(8) does for a pty. When the screen does not keep up, the
 * whole kernel stands still, time included: a flood cannot be seen from inside, and replays the same.
 */
import type { Kernel } from "../backends/sim/kernel/kernel.ts";
import { type Channel, OpenFile, wouldBlock } from "../backends/sim/kernel/open-file.ts";
import type { Process } from "../backends/sim/kernel/process.ts";
import type { Sys } from "../backends/sim/kernel/sys.ts";
import { Terminal, TerminalChannel } from "../backends/sim/kernel/terminal.ts";

export interface ConsoleSize {
  readonly rows: number;
  readonly columns: number;
}

/** Shows bytes; resolves when they are on the screen. */
export type Screen = (bytes: Uint8Array) => Promise<void>;

/** So much may be on its way to the screen. */
const unshownBytesMax = 128 * 1024;
const readBytes = 64 * 1024;

export class Console {
  readonly #kernel: Kernel;
  readonly #terminal: Terminal;
  readonly #screen: Screen;
  #unshown = 0;
  #caughtUp: () => void = () => {};

  constructor(kernel: Kernel, size: ConsoleSize, screen: Screen) {
    this.#kernel = kernel;
    this.#screen = screen;
    this.#terminal = new Terminal(size, (group, signal) => kernel.signals.sendGroup(group, signal));
  }

  /** Keys, to be called between two turns, as resize. */
  type(bytes: Uint8Array): void {
    this.#terminal.type(bytes);
  }

  resize({ rows, columns }: ConsoleSize): void {
    this.#terminal.resize(rows, columns);
  }

  /** Starts a program on the terminal, in a session of its own; when it ends it is started anew. */
  run(name: string, body: (sys: Sys) => Promise<number>): void {
    this.#kernel.launch("console", (sys) => this.#carry(sys));
    this.#start(name, body);
  }

  #start(name: string, body: (sys: Sys) => Promise<number>): void {
    const process = this.#kernel.launch(name, body);
    const stat = this.#kernel.tree.stat(this.#kernel.tree.root);
    const place = { location: null, path: "/dev/console" };
    const file = new OpenFile(new TerminalChannel(this.#terminal, () => stat), { read: true, write: true }, place);
    for (const fd of [0, 1, 2]) process.fds.set(fd, file.hold());
    process.terminal = this.#terminal;
    this.#terminal.session = process.session;
    this.#terminal.foreground = process.group;
    process.endings.push(() => this.#start(name, body));
  }

  async #carry(sys: Sys): Promise<number> {
    const fd = this.#openMaster(this.#kernel.turns.current);
    for (;;) this.#show(await sys.read(fd, readBytes));
  }

  #openMaster(process: Process | null): number {
    const terminal = this.#terminal;
    const channel: Channel = {
      read: () => (terminal.hasOutput ? terminal.takeOutput() : wouldBlock),
      write: (bytes) => bytes.length,
      readable: () => terminal.hasOutput,
      writable: () => true,
      stat: () => this.#kernel.tree.stat(this.#kernel.tree.root),
      close: () => {},
    };
    const file = new OpenFile(channel, { read: true, write: true }, { location: null, path: "/dev/ptmx" });
    process?.fds.set(3, file.hold());
    return 3;
  }

  #show(bytes: Uint8Array): void {
    this.#unshown += bytes.length;
    const shown = (): void => {
      this.#unshown -= bytes.length;
      if (this.#unshown <= unshownBytesMax) this.#caughtUp();
    };
    this.#screen(bytes).then(shown, shown);
    if (this.#unshown <= unshownBytesMax) return;
    this.#kernel.turns.hold(
      new Promise<void>((resolve) => {
        this.#caughtUp = resolve;
      }),
    );
  }
}
