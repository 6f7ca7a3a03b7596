/** dd(1): copies blocks. What is read is put together to output blocks when their sizes differ. */
import { concat, encodeText } from "../../../../core/base/bytes.ts";
import type { Fd, Sys } from "../../kernel/sys.ts";
import { applet, type Context, Failure, isErrno, reasonOf, UsageFailure } from "../applet.ts";

/** A block is memory: larger ones are refused as the kernel would refuse them. */
const blockBytesMax = 1 << 30;
const countMax = 9_223_372_036_854_775_807n;
const suffixes: Readonly<Record<string, number>> = {
  "": 1,
  c: 1,
  w: 2,
  b: 512,
  k: 1 << 10,
  K: 1 << 10,
  kD: 1000,
  kB: 1000,
  KB: 1000,
  M: 1 << 20,
  MD: 1_000_000,
  MB: 1_000_000,
  G: 1 << 30,
  GD: 1_000_000_000,
  GB: 1_000_000_000,
};
const words: Readonly<Record<string, readonly string[]>> = {
  conv: ["notrunc", "sync", "noerror", "fsync", "swab"],
  iflag: ["skip_bytes", "count_bytes", "fullblock", "direct"],
  oflag: ["seek_bytes", "append", "direct"],
  status: ["noxfer", "none"],
};

interface Task {
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly inputBytes: number;
  readonly outputBytes: number;
  /** One block size for both: what is read is written as it is. */
  readonly isOneSize: boolean;
  readonly count: number | null;
  readonly skip: number;
  readonly seek: number;
  readonly has: (word: string) => boolean;
}

/** Blocks so far, whole ones and parts. */
interface Tally {
  whole: number;
  parts: number;
}

function taskOf(args: readonly string[]): Task {
  const given = new Map<string, string>();
  for (const arg of args) {
    const at = arg.indexOf("=");
    const name = arg.slice(0, Math.max(at, 0));
    if (!["if", "of", "bs", "ibs", "obs", "count", "skip", "seek", ...Object.keys(words)].includes(name))
      throw new UsageFailure("");
    given.set(name, arg.slice(at + 1));
  }
  const chosen = Object.entries(words).flatMap(([name, known]) => wordsOf(name, known, given.get(name)));
  const size = (name: string): number | undefined => {
    const text = given.get(name);
    return text === undefined ? undefined : numberOf(text, 1);
  };
  const bs = size("bs");
  const [inputBytes, outputBytes] = [bs ?? size("ibs") ?? 512, bs ?? size("obs") ?? 512];
  if (Math.max(inputBytes, outputBytes) > blockBytesMax) throw new Failure("out of memory");
  const has = (word: string): boolean => chosen.includes(word);
  const amount = (name: string, unit: number): number => numberOf(given.get(name) ?? "0", 0) * unit;
  return {
    from: given.get("if"),
    to: given.get("of"),
    inputBytes,
    outputBytes,
    isOneSize: inputBytes === outputBytes,
    count: given.has("count") ? amount("count", 1) : null,
    skip: amount("skip", has("skip_bytes") ? 1 : inputBytes),
    seek: amount("seek", has("seek_bytes") ? 1 : outputBytes),
    has,
  };
}

function wordsOf(name: string, known: readonly string[], text: string | undefined): readonly string[] {
  const chosen = text?.split(",") ?? [];
  const wrong = chosen.find((word) => !known.includes(word));
  if (wrong !== undefined) throw new Failure(`invalid argument '${wrong}' to '${name}'`);
  return chosen;
}

function numberOf(text: string, least: number): number {
  const [, digits = "", suffix = ""] = /^(\d+)([a-zA-Z]*)$/.exec(text) ?? [];
  const unit = suffixes[suffix];
  if (digits === "" || unit === undefined) throw new Failure(`invalid number '${text}'`);
  const value = (/^0[0-7]+$/.test(digits) ? BigInt(`0o${digits.slice(1)}`) : BigInt(digits)) * BigInt(unit);
  if (value < BigInt(least) || value > countMax)
    throw new Failure(`number ${text} is not in ${least}..${countMax} range`);
  return Number(value);
}

const dd = applet(async (context) => {
  const task = taskOf(context.args);
  const { sys } = context;
  const from = task.from === undefined ? 0 : await opened(sys, task.from, "read");
  const to = task.to === undefined ? 1 : await target(sys, task, task.to);
  if (task.skip > 0) await skip(sys, from, task);
  const copy = new Copy(context, task, from, to);
  try {
    await copy.run();
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    await context.complain(thrown.message);
  }
  if (!task.has("none")) await sys.write(2, encodeText(copy.report()));
  return context.code;
});

async function opened(sys: Sys, path: string, access: "read" | "write", append = false): Promise<Fd> {
  try {
    return await sys.open(path, { access, create: access === "write", append, mode: 0o666 });
  } catch (thrown) {
    if (isErrno(thrown, "EISDIR")) throw new Failure(`can't open '${path}': Is a directory`);
    throw new Failure(
      `can't open '${path}': ${isErrno(thrown, "ENOENT") ? "No such file or directory" : "Permission denied"}`,
    );
  }
}

/** Cut where writing begins, unless told to leave it. */
async function target(sys: Sys, task: Task, path: string): Promise<Fd> {
  const fd = await opened(sys, path, "write", task.has("append"));
  if (!task.has("notrunc") && sys.statFd(fd).kind === "file") sys.truncate(path, task.seek);
  if (task.seek > 0) sys.seek(fd, task.seek, "set");
  return fd;
}

/** By seeking, or by reading where that cannot be done. */
async function skip(sys: Sys, fd: Fd, { skip: bytes, inputBytes }: Task): Promise<void> {
  try {
    sys.seek(fd, bytes, "current");
  } catch (thrown) {
    if (!isErrno(thrown, "ESPIPE")) throw thrown;
    for (let left = bytes; left > 0; ) {
      const { length } = await sys.read(fd, Math.min(left, inputBytes));
      if (length === 0) return;
      left -= length;
    }
  }
}

class Copy {
  readonly #context: Context;
  readonly #task: Task;
  readonly #from: Fd;
  readonly #to: Fd;
  readonly #in: Tally = { whole: 0, parts: 0 };
  readonly #out: Tally = { whole: 0, parts: 0 };
  #gathered: Uint8Array[] = [];
  #gatheredBytes = 0;

  constructor(context: Context, task: Task, from: Fd, to: Fd) {
    this.#context = context;
    this.#task = task;
    this.#from = from;
    this.#to = to;
  }

  async run(): Promise<void> {
    const { inputBytes, outputBytes, count, isOneSize } = this.#task;
    this.#context.sys.allocate(inputBytes + outputBytes);
    const bytesMax = this.#task.has("count_bytes") ? count : null;
    for (let [blocks, bytes] = [0, 0]; bytesMax === null ? blocks !== count : bytes < bytesMax; blocks++) {
      const block = await this.#block(bytesMax === null ? inputBytes : Math.min(inputBytes, bytesMax - bytes));
      if (block.length === 0) break;
      bytes += block.length;
      const changed = this.#changed(block);
      await (isOneSize ? this.#put(changed) : this.#gather(changed));
    }
    if (this.#gatheredBytes > 0) await this.#put(concat(this.#gathered));
  }

  report(): string {
    const [into, out] = [this.#in, this.#out];
    return `${into.whole}+${into.parts} records in\n${out.whole}+${out.parts} records out\n`;
  }

  async #block(length: number): Promise<Uint8Array> {
    const { sys } = this.#context;
    const chunks = [await sys.read(this.#from, length)];
    let got = chunks[0]?.length ?? 0;
    while (this.#task.has("fullblock") && got > 0 && got < length) {
      const more = await sys.read(this.#from, length - got);
      if (more.length === 0) break;
      chunks.push(more);
      got += more.length;
    }
    if (got === this.#task.inputBytes) this.#in.whole++;
    else if (got > 0) this.#in.parts++;
    return chunks.length === 1 ? (chunks[0] ?? new Uint8Array(0)) : concat(chunks);
  }

  #changed(block: Uint8Array): Uint8Array {
    const { inputBytes, has } = this.#task;
    let changed = block;
    if (has("swab")) {
      changed = block.slice();
      for (let at = 0; at + 1 < block.length; at += 2) changed.set([block[at + 1] ?? 0, block[at] ?? 0], at);
    }
    if (!has("sync") || changed.length === inputBytes) return changed;
    const filled = new Uint8Array(inputBytes);
    filled.set(changed);
    return filled;
  }

  async #gather(block: Uint8Array): Promise<void> {
    this.#gathered.push(block);
    this.#gatheredBytes += block.length;
    const { outputBytes } = this.#task;
    if (this.#gatheredBytes < outputBytes) return;
    const all = concat(this.#gathered);
    const whole = all.length - (all.length % outputBytes);
    for (let at = 0; at < whole; at += outputBytes) await this.#put(all.subarray(at, at + outputBytes));
    this.#gathered = [all.subarray(whole)];
    this.#gatheredBytes = all.length - whole;
  }

  async #put(block: Uint8Array): Promise<void> {
    try {
      await this.#context.sys.write(this.#to, block);
    } catch (thrown) {
      throw new Failure(`error writing '${this.#task.to ?? "standard output"}': ${reasonOf(thrown)}`);
    }
    if (block.length === this.#task.outputBytes) this.#out.whole++;
    else this.#out.parts++;
  }
}

export const programs = { dd };
