/**
 * What the programs of the simulated userland have in common: standard streams with buffers, and
 * one way to fail. A program is written as a body that gets a Context; `applet` makes it the Program
 * the kernel runs.
 *
 *   out    buffered until it is large, the program ends, or something is said on standard error
 *   Failure  thrown: "name: message" on standard error, and the exit code
 */
import { concat, decodeBytes, encodeText } from "../../../core/base/bytes.ts";
import { Errno, errnoText } from "../../../core/base/errno.ts";
import type { Fd, Program, Sys } from "../kernel/sys.ts";

/** The programs behave as this version's do. */
export const busyboxVersion = "1.35.0";

const chunkBytes = 65536;
/** Stdio's buffer, so that what appears when is as with the real programs. */
const bufferBytes = 4096;

/** Ends a program with a message. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly code: number;

  /** An empty message says nothing. */
  constructor(message: string, code = 1) {
    super(message);
    this.code = code;
  }
}

/** The command line is wrong: what is wrong (or nothing), and how it would be right. */
export class UsageFailure extends Failure {}

export class Output {
  readonly #sys: Sys;
  readonly fd: Fd;
  readonly #byLine: boolean;
  #chunks: Uint8Array[] = [];
  #size = 0;
  #text = "";

  constructor(sys: Sys, fd: Fd) {
    this.#sys = sys;
    this.fd = fd;
    this.#byLine = isTerminal(sys, fd);
  }

  /** Into the buffer; `settle` is to follow before long. */
  put(text: string): void {
    this.#text += text;
  }

  /** Writes what is in the buffer when it is full, or has a line for a terminal. Others may have their turns. */
  async settle(): Promise<void> {
    await this.#sys.rest();
    if (this.#text.length + this.#size >= bufferBytes || (this.#byLine && this.#hasLine())) await this.flush();
  }

  async print(text: string): Promise<void> {
    this.put(text);
    await this.settle();
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#encode();
    this.#chunks.push(bytes);
    this.#size += bytes.length;
    await this.settle();
  }

  async flush(): Promise<void> {
    this.#encode();
    if (this.#size === 0) return;
    const all = this.#chunks.length === 1 && this.#chunks[0] !== undefined ? this.#chunks[0] : concat(this.#chunks);
    this.#chunks = [];
    this.#size = 0;
    await this.#sys.write(this.fd, all);
  }

  #encode(): void {
    if (this.#text === "") return;
    const bytes = encodeText(this.#text);
    this.#text = "";
    this.#chunks.push(bytes);
    this.#size += bytes.length;
  }

  #hasLine(): boolean {
    return this.#text.includes("\n") || this.#chunks.some((chunk) => chunk.includes(10));
  }
}

export class Context {
  readonly sys: Sys;
  readonly name: string;
  readonly args: readonly string[];
  readonly environment: readonly string[];
  readonly out: Output;
  /** The exit code so far: programs that go on after a complaint end with it. */
  code = 0;

  constructor(sys: Sys, argv: readonly string[], environment: readonly string[]) {
    this.sys = sys;
    this.name = baseName(argv[0] ?? "");
    this.args = argv.slice(1);
    this.environment = environment;
    this.out = new Output(sys, 1);
  }

  variable(name: string): string | undefined {
    return valueOf(this.environment, name);
  }

  /** A line on standard error; the program goes on and will exit with 1. */
  async complain(message: string, code = 1): Promise<void> {
    this.code = code;
    await this.out.flush();
    if (message !== "") await say(this.sys, `${this.name}: ${message}\n`);
  }

  /** Does something to one of several files: a failure is said, with what `describe` makes of it, and the next has its turn. */
  async attempt(act: () => void | Promise<void>, describe: (reason: string, path: string) => string): Promise<boolean> {
    try {
      await this.sys.rest();
      await act();
      return true;
    } catch (thrown) {
      await this.complain(describe(reasonOf(thrown), thrown instanceof Errno ? thrown.path : ""));
      return false;
    }
  }
}

/** On standard error. That nobody reads there is no reason to fail. */
async function say(sys: Sys, text: string): Promise<void> {
  try {
    await sys.write(2, encodeText(text));
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
  }
}

/** The program with that body. */
export function applet(body: (context: Context) => Promise<number>): Program {
  return async (sys, argv, environment) => {
    const context = new Context(sys, argv, environment);
    const code = await codeOf(context, body);
    try {
      await context.out.flush();
    } catch (thrown) {
      await context.complain(`write error: ${reasonOf(thrown)}`);
      return 1;
    }
    return code;
  };
}

/** The same; whatever it fails with ends it with that code. */
export function failing(code: number, body: (context: Context) => Promise<number>): Program {
  return applet(async (context) => {
    try {
      return await body(context);
    } catch (thrown) {
      if (thrown instanceof UsageFailure) throw new UsageFailure(thrown.message, code);
      if (thrown instanceof Failure) throw new Failure(thrown.message, code);
      if (!(thrown instanceof Errno)) throw thrown;
      throw new Failure(thrown.path === "" ? reasonOf(thrown) : `${thrown.path}: ${reasonOf(thrown)}`, code);
    }
  });
}

async function codeOf(context: Context, body: (context: Context) => Promise<number>): Promise<number> {
  try {
    return await body(context);
  } catch (thrown) {
    if (thrown instanceof UsageFailure) return explainUse(context, thrown);
    if (thrown instanceof Failure) {
      await context.complain(thrown.message, thrown.code);
      return thrown.code;
    }
    if (!(thrown instanceof Errno)) throw thrown;
    await context.complain(thrown.path === "" ? reasonOf(thrown) : `${thrown.path}: ${reasonOf(thrown)}`);
    return 1;
  }
}

/** As busybox shows how a program is used. */
async function explainUse(context: Context, { message, code }: UsageFailure): Promise<number> {
  await context.complain(message, code);
  await say(
    context.sys,
    `BusyBox v${busyboxVersion} (tsbox) multi-call binary.\n\nUsage: ${context.name} [OPTION]... [ARGUMENT]...\n`,
  );
  return code;
}

/** The kernel's word for what went wrong; what is no Errno is thrown on. */
export function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Errno)) throw thrown;
  return errnoText(thrown.errno);
}

/** Whether it is that Errno; what is no Errno is thrown on. */
export function isErrno(thrown: unknown, ...names: Errno["errno"][]): boolean {
  if (!(thrown instanceof Errno)) throw thrown;
  return names.includes(thrown.errno);
}

export function valueOf(environment: readonly string[], name: string): string | undefined {
  return environment.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
}

export function isTerminal(sys: Sys, fd: Fd): boolean {
  try {
    return sys.isTerminal(fd);
  } catch (thrown) {
    if (isErrno(thrown, "EBADF")) return false;
    throw thrown;
  }
}

export function baseName(path: string): string {
  const trimmed = path.replace(/(?<=.)\/+$/, "");
  return trimmed === "/" ? "/" : trimmed.slice(trimmed.lastIndexOf("/") + 1);
}

/** `directory/name` without a doubled slash. */
export function joinPath(directory: string, name: string): string {
  return directory.endsWith("/") ? directory + name : `${directory}/${name}`;
}

/** The chunks of a descriptor up to its end. */
export async function* chunksOf(sys: Sys, fd: Fd): AsyncGenerator<Uint8Array, void, undefined> {
  for (;;) {
    const chunk = await sys.read(fd, chunkBytes);
    if (chunk.length === 0) return;
    yield chunk;
  }
}

/** The lines of a descriptor, without their ends; `ended` is false for a last one without. */
export async function* linesOf(sys: Sys, fd: Fd, end = 10): AsyncGenerator<Line, void, undefined> {
  let rest: Uint8Array[] = [];
  for await (const chunk of chunksOf(sys, fd)) {
    let from = 0;
    for (let at = chunk.indexOf(end); at !== -1; at = chunk.indexOf(end, from)) {
      yield { bytes: concat([...rest, chunk.subarray(from, at)]), ended: true };
      rest = [];
      from = at + 1;
    }
    if (from < chunk.length) {
      rest.push(chunk.slice(from));
      sys.allocate(chunk.length - from);
    }
  }
  if (rest.length > 0) yield { bytes: concat(rest), ended: false };
}

/** The lines of a descriptor as they come, a batch for each read; only the very last may be without its end. */
export async function* batchesOf(sys: Sys, fd: Fd, end = "\n"): AsyncGenerator<Batch, void, undefined> {
  let rest: Uint8Array = new Uint8Array(0);
  const stop = end.charCodeAt(0);
  for await (const chunk of chunksOf(sys, fd)) {
    const last = chunk.lastIndexOf(stop);
    if (last === -1) {
      rest = concat([rest, chunk]);
      sys.allocate(chunk.length);
      continue;
    }
    const whole = rest.length === 0 ? chunk.subarray(0, last) : concat([rest, chunk.subarray(0, last)]);
    rest = chunk.slice(last + 1);
    yield { lines: decodeBytes(whole).split(end), ended: true };
  }
  if (rest.length > 0) yield { lines: [decodeBytes(rest)], ended: false };
}

export interface Batch {
  readonly lines: readonly string[];
  /** Its last line has its end. */
  readonly ended: boolean;
}

/** All lines of a descriptor, and whether the last one has its end. */
export async function allLines(sys: Sys, fd: Fd, end = "\n"): Promise<{ lines: string[]; ended: boolean }> {
  const all: string[] = [];
  let isEnded = true;
  for await (const { lines, ended } of batchesOf(sys, fd, end)) {
    for (const line of lines) all.push(line);
    isEnded = ended;
  }
  return { lines: all, ended: isEnded };
}

/**
 * Does something with each named file, standard input when none is named or for "-". One that cannot be
 * opened or read is complained of, and the next has its turn.
 */
export async function eachInput(
  context: Context,
  names: readonly string[],
  use: (fd: Fd, name: string) => Promise<void>,
  describe: (name: string, reason: string) => string = (name, reason) => `${name}: ${reason}`,
): Promise<void> {
  for (const name of names.length === 0 ? ["-"] : names) {
    await context.attempt(
      () => withInput(context.sys, name, (fd) => use(fd, name)),
      (reason) => describe(name, reason),
    );
  }
}

export interface Line {
  readonly bytes: Uint8Array;
  readonly ended: boolean;
}

/** Opens a file for reading, gives its descriptor to `use` and closes it; "-" is standard input. */
export async function withInput<T>(sys: Sys, path: string, use: (fd: Fd) => Promise<T>): Promise<T> {
  if (path === "-") return use(0);
  const fd = await sys.open(path, { access: "read" });
  try {
    return await use(fd);
  } finally {
    sys.close(fd);
  }
}

export async function readBytes(sys: Sys, path: string): Promise<Uint8Array> {
  return withInput(sys, path, async (fd) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of chunksOf(sys, fd)) {
      sys.allocate(chunk.length);
      chunks.push(chunk);
    }
    return concat(chunks);
  });
}

export async function readText(sys: Sys, path: string): Promise<string> {
  return decodeBytes(await readBytes(sys, path));
}

/** The same, "" when it cannot be read. */
export async function readTextOr(sys: Sys, path: string, otherwise: string): Promise<string> {
  try {
    return await readText(sys, path);
  } catch (thrown) {
    reasonOf(thrown);
    return otherwise;
  }
}

/** Lists a directory as getdents(2) needs it: through an open descriptor. */
export async function listDirectory(sys: Sys, path: string): Promise<ReturnType<Sys["list"]>> {
  const fd = await sys.open(path, { access: "read", directory: true });
  try {
    return sys.list(path);
  } finally {
    sys.close(fd);
  }
}
