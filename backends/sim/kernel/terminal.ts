/**
 * A terminal: a pty pair with the line discipline between its ends (tty(4), termios(3)). The
 * program reads and writes the slave; the user's side is the master.
 *
 *   keys → [signals: ^C ^\ ^Z] → [canonical: a line is edited here until Enter or ^D] → program
 *   program → ["\n" becomes "\r\n"] → screen;    what is typed is echoed to the screen
 */
import { Errno } from "../../../core/base/errno.ts";
import { concat, encodeText } from "../../../core/base/bytes.ts";
import type { Stat } from "../../../core/unionfs/file-system.ts";
import { Changes } from "./changes.ts";
import { type Channel, type WouldBlock, wouldBlock } from "./open-file.ts";
import type { Pid, TerminalMode } from "./sys.ts";

const screenBytes = 65536;
const lineBytes = 4096;
/** What a program has not read yet. */
const inputBytes = 4096;
const ctrlC = 3;
const ctrlD = 4;
const backspace = 8;
const newline = 10;
const carriageReturn = 13;
const ctrlU = 21;
const ctrlW = 23;
const ctrlZ = 26;
const ctrlBackslash = 28;
const deleteKey = 127;
const signals = new Map([
  [ctrlC, 2],
  [ctrlBackslash, 3],
  [ctrlZ, 20],
]);

export class Terminal {
  mode: TerminalMode = { canonical: true, echo: true, signals: true, newlines: true, returns: true };
  rows: number;
  columns: number;
  /** The process group that gets the keys' signals; 0: nobody. */
  foreground: Pid = 0;
  session: Pid = 0;
  /** Someone holds the slave open; the master is at its end when nobody does any more. */
  slaves = 0;
  hungUp = false;
  /** Who is told when the master's side closes. */
  readonly hangUps: (() => void)[] = [];
  readonly changes = new Changes();
  readonly #signal: (group: Pid, signal: number) => void;
  /** What the program may read: finished lines, or bytes in raw mode. An empty one is an end of file. */
  #input: Uint8Array[] = [];
  #line: number[] = [];
  #screen: Uint8Array[] = [];
  #screenSize = 0;

  constructor(size: { rows: number; columns: number }, signal: (group: Pid, signal: number) => void) {
    this.rows = size.rows;
    this.columns = size.columns;
    this.#signal = signal;
  }

  /** What the user typed; how many bytes were taken: fewer than given when nobody reads. */
  type(bytes: Uint8Array): number {
    this.changes.watch();
    let taken = 0;
    for (; taken < bytes.length && this.#waiting < inputBytes; taken++) this.#key(bytes[taken] ?? 0);
    return taken;
  }

  get #waiting(): number {
    return this.#input.reduce((sum, { length }) => sum + length, 0);
  }

  /** tcsetattr(3): what was typed of a line becomes readable when lines are no longer edited. */
  setMode(mode: Partial<TerminalMode>): void {
    this.mode = { ...this.mode, ...mode };
    if (!this.mode.canonical && this.#line.length > 0) this.#finishLine();
  }

  /** The master's side closed: the session's foreground is hung up on. */
  hangUp(): void {
    if (this.hungUp) return;
    this.hungUp = true;
    for (const tell of this.hangUps) tell();
    this.changes.tell();
    if (this.foreground !== 0) this.#signal(this.foreground, 1);
  }

  resize(rows: number, columns: number): void {
    if (rows === this.rows && columns === this.columns) return;
    this.rows = rows;
    this.columns = columns;
    if (this.foreground !== 0) this.#signal(this.foreground, 28);
  }

  /** For a snapshot: what is between the two ends. */
  inspect(): unknown {
    return [this.#input, this.#line, this.#screen];
  }

  get hasInput(): boolean {
    this.changes.watch();
    return this.#input.length > 0 || this.hungUp;
  }

  get hasOutput(): boolean {
    this.changes.watch();
    return this.#screenSize > 0;
  }

  get hasRoom(): boolean {
    this.changes.watch();
    return this.#screenSize < screenBytes;
  }

  /** At most one line in canonical mode, as read(2) of a terminal gives. */
  readInput(length: number): Uint8Array | WouldBlock {
    const first = this.#input[0];
    this.changes.watch();
    if (first === undefined) return this.hungUp ? new Uint8Array(0) : wouldBlock;
    if (first.length > length) this.#input[0] = first.subarray(length);
    else this.#input.shift();
    this.changes.tell();
    return first.subarray(0, length);
  }

  /** Output of the program, to the screen. */
  print(bytes: Uint8Array): number | WouldBlock {
    if (this.hungUp) throw new Errno("EIO");
    if (!this.hasRoom) return wouldBlock;
    this.#show(this.mode.newlines ? withCarriageReturns(bytes) : bytes.slice());
    return bytes.length;
  }

  /** What is on its way to the screen. */
  takeOutput(length = Number.POSITIVE_INFINITY): Uint8Array {
    const all = concat(this.#screen);
    const taken = all.subarray(0, Math.min(length, all.length));
    this.#screen = taken.length < all.length ? [all.subarray(taken.length)] : [];
    this.#screenSize = all.length - taken.length;
    this.changes.tell();
    return taken;
  }

  #show(bytes: Uint8Array): void {
    this.#screen.push(bytes);
    this.#screenSize += bytes.length;
    this.changes.tell();
  }

  #key(typed: number): void {
    const byte = typed === carriageReturn && this.mode.returns ? newline : typed;
    const signal = this.mode.signals ? signals.get(byte) : undefined;
    if (signal !== undefined) this.#interrupt(byte, signal);
    else if (this.mode.canonical) this.#edit(byte);
    else {
      this.#echo(byte);
      this.#input.push(Uint8Array.of(byte));
      this.changes.tell();
    }
  }

  #interrupt(byte: number, signal: number): void {
    if (this.mode.echo) this.#show(encodeText(`^${String.fromCharCode(byte + 64)}`));
    this.#line = [];
    if (this.foreground !== 0) this.#signal(this.foreground, signal);
  }

  #edit(byte: number): void {
    if (byte === ctrlD) return this.#finishLine();
    if (byte === deleteKey || byte === backspace) return this.#erase(1);
    if (byte === ctrlU) return this.#erase(this.#line.length);
    if (byte === ctrlW) return this.#erase(wordAtEnd(this.#line));
    if (byte !== newline && this.#line.length >= lineBytes - 1) return;
    this.#echo(byte);
    this.#line.push(byte);
    if (byte === newline) this.#finishLine();
  }

  #finishLine(): void {
    this.#input.push(Uint8Array.from(this.#line));
    this.changes.tell();
    this.#line = [];
  }

  #erase(count: number): void {
    for (let left = count; left > 0 && this.#line.length > 0; left--) {
      // A UTF-8 character is erased whole: its continuation bytes come last.
      while ((this.#line.at(-1) ?? 0) >> 6 === 2) this.#line.pop();
      this.#line.pop();
      if (this.mode.echo) this.#show(encodeText("\b \b"));
    }
  }

  #echo(byte: number): void {
    if (!this.mode.echo) return;
    if (byte === newline) this.#show(encodeText(this.mode.newlines ? "\r\n" : "\n"));
    else if (byte < 32 && byte !== 9) this.#show(encodeText(`^${String.fromCharCode(byte + 64)}`));
    else this.#show(Uint8Array.of(byte));
  }
}

/** The user's end, as a program that opened ptmx has it. */
export class MasterChannel implements Channel {
  readonly isWatched = true;
  readonly terminal: Terminal;
  readonly #stat: Stat;

  constructor(terminal: Terminal, stat: Stat) {
    this.terminal = terminal;
    this.#stat = stat;
  }

  read(length: number): Uint8Array | WouldBlock {
    return this.terminal.hasOutput ? this.terminal.takeOutput(length) : wouldBlock;
  }

  write(bytes: Uint8Array): number | WouldBlock {
    const taken = this.terminal.type(bytes);
    return taken === 0 && bytes.length > 0 ? wouldBlock : taken;
  }

  readable(): boolean {
    return this.terminal.hasOutput;
  }

  writable(): boolean {
    return true;
  }

  stat(): Stat {
    return this.#stat;
  }

  close(): void {
    this.terminal.hangUp();
  }
}

/** The program's end of a terminal. */
export class TerminalChannel implements Channel {
  readonly isWatched = true;
  readonly terminal: Terminal;
  readonly #stat: () => Stat;

  constructor(terminal: Terminal, stat: () => Stat) {
    this.terminal = terminal;
    this.#stat = stat;
    terminal.slaves++;
  }

  read(length: number): Uint8Array | WouldBlock {
    return this.terminal.readInput(length);
  }

  write(bytes: Uint8Array): number | WouldBlock {
    return this.terminal.print(bytes);
  }

  readable(): boolean {
    return this.terminal.hasInput;
  }

  writable(): boolean {
    return this.terminal.hasRoom;
  }

  stat(): Stat {
    return this.#stat();
  }

  close(): void {
    this.terminal.slaves--;
  }
}

function wordAtEnd(line: readonly number[]): number {
  let count = 0;
  while (count < line.length && line.at(-1 - count) === 32) count++;
  while (count < line.length && line.at(-1 - count) !== 32) count++;
  return count;
}

function withCarriageReturns(bytes: Uint8Array): Uint8Array {
  const out: number[] = [];
  for (const byte of bytes) {
    if (byte === newline) out.push(carriageReturn);
    out.push(byte);
  }
  return Uint8Array.from(out);
}
