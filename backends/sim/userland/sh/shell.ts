/**
 * What a shell knows: variables, functions, options, jobs, traps. It is plain data, so that a subshell
 * is a forked process with a copy of it.
 */
import { encodeText } from "../../../../core/base/bytes.ts";
import { Errno } from "../../../../core/base/errno.ts";
import type { Fd, Pid, Sys } from "../../kernel/sys.ts";
import { type Dialect, sayIn, type Speaker } from "./dialect.ts";
import type { Extension } from "./extension.ts";
import { Jobs } from "./jobs.ts";
import { type Run, settled } from "../run.ts";
import { Traps } from "./traps.ts";
import type { Node } from "./tree.ts";
import { isName, Variables } from "./variables.ts";

/** A command that ends the running one, or the whole shell when nobody is there to see the message. */
export class ShellError extends Error {
  override readonly name = "ShellError";
  readonly status: number;
  /** It ends the shell, whatever command it is of. */
  readonly fatal: boolean;

  constructor(message: string, status = 2, fatal = false) {
    super(message);
    this.status = status;
    this.fatal = fatal;
  }
}

/** `exit`: unwinds to the end of the program. */
export class Exit extends Error {
  override readonly name = "Exit";
  readonly status: number;

  constructor(status: number) {
    super(`exit ${status}`);
    this.status = status;
  }
}

/** What is to be left out until a loop or function is reached: `break`, `continue`, `return`. */
export interface Skip {
  readonly kind: "break" | "continue" | "return";
  /** Loops still to be left. */
  count: number;
}

export interface ShellFunction {
  readonly body: Node;
  /** The line it begins on: within it lines count from there. */
  readonly line: number;
}

/** Option letters and names, in the order `set -o` lists them. */
export const optionNames: readonly (readonly [string, string])[] = [
  ["e", "errexit"],
  ["f", "noglob"],
  ["I", "ignoreeof"],
  ["i", "interactive"],
  ["m", "monitor"],
  ["n", "noexec"],
  ["s", "stdin"],
  ["x", "xtrace"],
  ["v", "verbose"],
  ["V", "vi"],
  ["E", "emacs"],
  ["C", "noclobber"],
  ["a", "allexport"],
  ["b", "notify"],
  ["u", "nounset"],
  ["p", "privileged"],
  ["l", "nolog"],
  ["d", "debug"],
  ["P", "pipefail"],
];

/** What is charged for each simple command: it is nanoseconds of processor time. */
const commandFuel = 1500;
const fuelBatch = 200_000;
const chargedChars = 65536;

export class Shell {
  readonly sys: Sys;
  /** $0, which begins every message. */
  name: string;
  /** $$: a subshell keeps it. */
  readonly pid: Pid;
  readonly variables: Variables;
  positional: readonly string[];
  readonly functions: Map<string, ShellFunction>;
  readonly aliases: Map<string, string>;
  readonly options: Set<string>;
  readonly jobs: Jobs;
  readonly traps: Traps;
  dialect: Dialect;
  /** What only this shell has. */
  extension: Extension | null;
  input: Speaker["input"];
  /** Where commands were found. */
  readonly hashed: Map<string, string>;
  status = 0;
  /** The statuses of the last pipeline's stages. */
  pipeline: readonly number[] = [0];
  /** The functions that run, the outermost first. */
  readonly calls: string[] = [];
  /** How many sourced files run. */
  sourced = 0;
  /** bash's trap on ERR. */
  onError = "";
  /** Descriptors of bash's process substitutions, to be closed when the command ends. */
  lent: Fd[] = [];
  lastBackground: Pid | null = null;
  line = 1;
  /** The line its function begins on, 0 outside. */
  functionLine = 0;
  loops = 0;
  skip: Skip | null = null;
  /** The builtin that runs, which messages name. */
  command: string | null = null;
  /** The controlling terminal, when jobs are controlled. */
  terminal: Fd | null = null;
  /** How deep functions call each other. */
  depth = 0;
  isSubshell = false;
  /** It is a child of a shell that controls jobs. */
  jobControlled = false;
  /** Of getopts: where in a cluster of letters it is. */
  optionOffset = 0;
  #fuel = 0;
  /** Bytes charged for long values, by variable. */
  readonly #charged = new Map<string, number>();

  constructor(sys: Sys, name: string, positional: readonly string[], from?: Shell) {
    this.sys = sys;
    this.name = name;
    this.positional = positional;
    this.pid = from?.pid ?? sys.pid;
    this.variables = from?.variables.copy() ?? new Variables();
    this.functions = new Map(from?.functions);
    this.aliases = new Map(from?.aliases);
    this.options = new Set(from?.options);
    this.hashed = new Map(from?.hashed);
    this.dialect = from?.dialect ?? "dash";
    this.extension = from?.extension?.forked() ?? null;
    this.input = from?.input ?? "stream";
    this.jobs = new Jobs();
    this.traps = from === undefined ? new Traps(sys) : from.traps.inSubshell(sys);
    this.variables.changed = (name) => this.#changed(name);
  }

  /** The state a forked child goes on with. */
  copy(sys: Sys): Shell {
    const child = new Shell(sys, this.name, this.positional, this);
    child.status = this.status;
    child.lastBackground = this.lastBackground;
    child.line = this.line;
    child.functionLine = this.functionLine;
    child.loops = this.loops;
    child.isSubshell = true;
    child.optionOffset = this.optionOffset;
    child.command = this.command;
    child.depth = this.depth;
    child.options.delete("i");
    child.options.delete("m");
    return child;
  }

  get interactive(): boolean {
    return this.options.has("i");
  }

  get monitors(): boolean {
    return this.options.has("m");
  }

  /** The variables a shell begins with. */
  begin(environment: readonly string[]): void {
    const { variables, sys } = this;
    const defaults = {
      IFS: " \t\n",
      OPTIND: "1",
      PS1: sys.credentials().uid === 0 ? "# " : "$ ",
      PS2: "> ",
      PS4: "+ ",
    };
    for (const [name, value] of Object.entries(defaults)) variables.set(name, value);
    variables.set("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    variables.set("PPID", String(sys.parent()));
    for (const entry of environment) {
      const at = entry.indexOf("=");
      const name = entry.slice(0, at);
      if (at < 1 || !isName(name) || name === "IFS") continue;
      variables.set(name, entry.slice(at + 1));
      variables.mark(name, { exported: true });
    }
    this.#beginDirectory();
  }

  /** $PWD when it is where we are, as POSIX wants; else the path without symlinks. */
  #beginDirectory(): void {
    const here = this.sys.directory();
    const given = this.variables.get("PWD");
    if (given === null || !given.startsWith("/") || !this.#isSame(given)) this.variables.set("PWD", here);
    this.variables.mark("PWD", { exported: true });
  }

  #isSame(path: string): boolean {
    try {
      const [a, b] = [this.sys.stat(path), this.sys.stat(".")];
      return a.inode === b.inode && a.kind === b.kind;
    } catch {
      return false;
    }
  }

  #changed(name: string): void {
    if (name === "OPTIND") this.optionOffset = 0;
    if (name === "PATH") this.hashed.clear();
    this.#charge(name);
  }

  /** A long value counts as the process's memory. */
  #charge(name: string): void {
    const length = this.variables.get(name)?.length ?? 0;
    const before = this.#charged.get(name) ?? 0;
    const now = length >= chargedChars ? length : 0;
    if (now === before) return;
    this.#charged.set(name, now);
    this.sys.allocate(now - before);
  }

  get currentLine(): number {
    return this.functionLine === 0 ? this.line : this.line - this.functionLine + 1;
  }

  /** "sh: 1: message" on standard error. */
  *complain(message: string, source = ""): Run<void> {
    const { name, currentLine: line, command, input, interactive } = this;
    const speaker = { name, line, command, input, interactive, source };
    const text = this.extension?.say(speaker, message) ?? sayIn(this.dialect, speaker, message);
    try {
      yield* settled(this.sys.write(2, encodeText(text)));
    } catch (thrown) {
      // That nobody reads there is no reason to fail.
      if (!(thrown instanceof Errno)) throw thrown;
    }
  }

  *print(fd: Fd, text: string): Run<void> {
    yield* this.write(fd, encodeText(text));
  }

  *write(fd: Fd, bytes: Uint8Array): Run<void> {
    try {
      yield* settled(this.sys.write(fd, bytes));
    } catch (thrown) {
      if (!(thrown instanceof Errno) || thrown.errno === "EINTR" || this.command === null) throw thrown;
      throw new ShellError(`${this.command}: I/O error`, 1);
    }
  }

  /** Counts a command; true when it is time to pay. */
  owes(): boolean {
    this.#fuel += commandFuel;
    return this.#fuel >= fuelBatch;
  }

  /** Pays for the commands so far, which also lets others run and signals in. */
  *pay(): Run<void> {
    const fuel = this.#fuel;
    this.#fuel = 0;
    yield* settled(this.sys.work(fuel));
  }

  optionLetters(): string {
    return optionNames
      .map(([letter]) => letter)
      .filter((letter) => this.options.has(letter))
      .toReversed()
      .join("");
  }
}
