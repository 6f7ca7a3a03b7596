/** find: walks trees and judges each file by an expression. */
import { Errno, errnoText } from "../../../../core/base/errno.ts";
import type { Stat } from "../../../../core/unionfs/file-system.ts";
import { applet, baseName, type Context, Failure, joinPath, listDirectory, UsageFailure } from "../applet.ts";
import { changeMode, modeText } from "../modes.ts";
import { matchesPattern } from "../pattern.ts";
import { compileRegex } from "../regex.ts";
import { lookAt } from "../paths.ts";
import { agreed, gidOf, uidOf } from "./files.ts";
import { codeOf, spawn, waitFor } from "./run.ts";

interface Found {
  readonly path: string;
  readonly stat: Stat;
  readonly depth: number;
  /** The operand it was found under. */
  readonly start: string;
}

interface Judgement {
  /** -prune: what is in it is not visited. */
  prune: boolean;
}

type Test = (found: Found, judgement: Judgement) => boolean | Promise<boolean>;

interface Walk {
  minDepth: number;
  maxDepth: number;
  depthFirst: boolean;
  sameDevice: boolean;
  follow: "never" | "operands" | "always";
  quit: boolean;
  /** Commands of "-exec … +", run at the end. */
  readonly batches: { words: string[]; paths: string[] }[];
}

const find = applet(async (context) => {
  const args = [...context.args];
  const walk: Walk = {
    minDepth: 0,
    maxDepth: Infinity,
    depthFirst: false,
    sameDevice: false,
    follow: "never",
    quit: false,
    batches: [],
  };
  while (/^-[HLP]$/.test(args[0] ?? ""))
    walk.follow = { "-H": "operands", "-L": "always", "-P": "never" }[args.shift() ?? ""] as Walk["follow"];
  const first = args.findIndex((arg) => /^[-(!]/.test(arg) && arg !== "-");
  const starts = first === -1 ? args : args.slice(0, first);
  const expression = new Expression(context, first === -1 ? [] : args.slice(first), walk);
  const test = await expression.whole();
  for (const start of starts.length === 0 ? ["."] : starts) {
    const stat = lookAt(context.sys, start, walk.follow !== "never");
    if (stat === null) await context.complain(`${start}: No such file or directory`);
    else await visit(context, walk, test, { path: start, stat, depth: 0, start });
    if (walk.quit) break;
  }
  for (const batch of walk.batches)
    if (batch.paths.length > 0 && !(await runCommand(context, [...batch.words, ...batch.paths]))) context.code = 1;
  return context.code;
});

async function visit(context: Context, walk: Walk, test: Test, found: Found): Promise<void> {
  if (walk.quit) return;
  const judgement: Judgement = { prune: false };
  const judge = async (): Promise<void> => {
    if (found.depth >= walk.minDepth && !walk.quit) await test(found, judgement);
    await context.out.settle();
  };
  if (!walk.depthFirst) await judge();
  if (found.stat.kind === "directory" && found.depth < walk.maxDepth && !judgement.prune)
    await children(context, walk, test, found);
  if (walk.depthFirst) await judge();
}

async function children(context: Context, walk: Walk, test: Test, { path, depth, start }: Found): Promise<void> {
  let names: string[];
  try {
    names = (await listDirectory(context.sys, path)).map(({ name }) => name);
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    return context.complain(`${path}: ${errnoText(thrown.errno)}`);
  }
  for (const name of names) {
    const inner = joinPath(path, name);
    const stat = lookAt(context.sys, inner, walk.follow === "always") ?? lookAt(context.sys, inner);
    if (stat !== null) await visit(context, walk, test, { path: inner, stat, depth: depth + 1, start });
  }
}

async function runCommand(context: Context, words: readonly string[]): Promise<boolean> {
  await context.out.flush();
  try {
    return codeOf(await waitFor(context.sys, await spawn(context, words))) === 0;
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    await context.complain(`${words[0]}: ${errnoText(thrown.errno)}`, context.code);
    return false;
  }
}

const kindLetters: Readonly<Record<string, Stat["kind"]>> = {
  f: "file",
  d: "directory",
  l: "symlink",
  c: "character",
  b: "block",
  p: "fifo",
  s: "socket",
};
const sizeUnits: Readonly<Record<string, number>> = {
  "": 512,
  b: 512,
  c: 1,
  w: 2,
  k: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
};
const dayNanos = 86_400_000_000_000n;
const minuteNanos = 60_000_000_000n;

function countOf(text: string): number {
  if (!/^\d+$/.test(text)) throw new Failure(`invalid number '${text}'`);
  return Number(text);
}

/** "+3", "-3", "3". */
function comparison(text: string): (value: number) => boolean {
  const [, sign = "", digits] = /^([+-]?)(\d+)$/.exec(text) ?? [];
  if (digits === undefined) throw new Failure(`invalid number '${text}'`);
  const wanted = Number(digits);
  return (value) => (sign === "+" ? value > wanted : sign === "-" ? value < wanted : value === wanted);
}

class Expression {
  readonly #context: Context;
  readonly #words: readonly string[];
  readonly #walk: Walk;
  #at = 0;
  #acts = false;

  constructor(context: Context, words: readonly string[], walk: Walk) {
    this.#context = context;
    this.#words = words;
    this.#walk = walk;
  }

  /** Without an action of its own the expression prints what it accepts. */
  async whole(): Promise<Test> {
    const test = this.#words.length === 0 ? () => true : await this.#or();
    const rest = this.#words[this.#at];
    if (rest !== undefined) throw new UsageFailure(rest === ")" ? "unexpected ')'" : `unrecognized: ${rest}`);
    if (this.#acts) return test;
    return async (found, judgement) => {
      if (await test(found, judgement)) this.#context.out.put(`${found.path}\n`);
      return true;
    };
  }

  async #or(): Promise<Test> {
    const first = await this.#and();
    const tests = [first];
    while (this.#words[this.#at] === "-o" || this.#words[this.#at] === "-or") {
      this.#at++;
      tests.push(await this.#and());
    }
    if (tests.length === 1) return first;
    return async (found, judgement) => {
      for (const test of tests) if (await test(found, judgement)) return true;
      return false;
    };
  }

  async #and(): Promise<Test> {
    const tests: Test[] = [];
    for (
      let word = this.#words[this.#at];
      word !== undefined && word !== ")" && word !== "-o" && word !== "-or";
      word = this.#words[this.#at]
    ) {
      if (word === "-a" || word === "-and") this.#at++;
      else tests.push(await this.#not());
    }
    if (tests.length === 0) throw new Failure("bad expression");
    return async (found, judgement) => {
      for (const test of tests) if (!(await test(found, judgement))) return false;
      return true;
    };
  }

  async #not(): Promise<Test> {
    const word = this.#words[this.#at++] ?? "";
    if (word === "!" || word === "-not") {
      const test = await this.#not();
      return async (found, judgement) => !(await test(found, judgement));
    }
    if (word !== "(") return this.#primary(word);
    const inside = await this.#or();
    if (this.#words[this.#at++] !== ")") throw new Failure("unpaired '('");
    return inside;
  }

  #argument(name: string): string {
    const word = this.#words[this.#at++];
    if (word === undefined) throw new Failure(`${name} requires an argument`);
    return word;
  }

  async #primary(name: string): Promise<Test> {
    const plain = this.#option(name) ?? this.#action(name);
    if (plain !== null) return plain;
    const text =
      /^-(?:i?name|i?path|wholename|regex|type|size|mtime|mmin|newer|perm|user|group|uid|gid|links|inum|samefile)$/.test(
        name,
      )
        ? this.#argument(name)
        : null;
    if (text === null) throw new UsageFailure(`unrecognized: ${name}`);
    return this.#property(name, text);
  }

  #option(name: string): Test | null {
    const walk = this.#walk;
    switch (name) {
      case "-maxdepth":
        walk.maxDepth = countOf(this.#argument(name));
        return () => true;
      case "-mindepth":
        walk.minDepth = countOf(this.#argument(name));
        return () => true;
      case "-depth":
        walk.depthFirst = true;
        return () => true;
      case "-xdev":
        walk.sameDevice = true;
        return () => true;
      case "-follow":
        walk.follow = "always";
        return () => true;
      case "-true":
        return () => true;
      case "-false":
        return () => false;
      default:
        return null;
    }
  }

  #action(name: string): Test | null {
    const { out, sys } = this.#context;
    switch (name) {
      case "-print":
      case "-print0":
        this.#acts = true;
        return ({ path }) => {
          out.put(path + (name === "-print" ? "\n" : "\0"));
          return true;
        };
      case "-prune":
        return (_found, judgement) => (judgement.prune = true);
      case "-quit":
        this.#acts = true;
        return () => (this.#walk.quit = true);
      case "-delete":
        this.#acts = true;
        this.#walk.depthFirst = true;
        return ({ path, stat }) =>
          path === "." ||
          this.#context.attempt(
            () => (stat.kind === "directory" ? sys.removeDirectory(path) : sys.unlink(path)),
            (reason) => `${path}: ${reason}`,
          );
      case "-ls":
        this.#acts = true;
        return ({ path, stat }) => {
          out.put(
            `${String(stat.inode).padStart(7)} ${String(Math.ceil(stat.size / 1024)).padStart(6)} ${modeText(stat.kind, stat.mode)} ${stat.links} ${stat.uid} ${stat.gid} ${stat.size} ${path}\n`,
          );
          return true;
        };
      case "-exec":
      case "-ok":
        return this.#exec(name);
      case "-empty":
        return async ({ path, stat }) =>
          stat.kind === "directory"
            ? (await listDirectory(sys, path)).length === 0
            : stat.kind === "file" && stat.size === 0;
      case "-executable":
        return ({ stat }) => (stat.mode & 0o111) !== 0;
      default:
        return null;
    }
  }

  #exec(name: string): Test {
    this.#acts = true;
    const end = this.#words.findIndex(
      (word, index) => index >= this.#at && (word === ";" || (word === "+" && this.#words[index - 1] === "{}")),
    );
    if (end === -1) throw new Failure(`${name} requires an argument`);
    const words = this.#words.slice(this.#at, end);
    const isBatch = this.#words[end] === "+";
    this.#at = end + 1;
    if (isBatch) {
      const batch = { words: words.slice(0, -1), paths: [] as string[] };
      this.#walk.batches.push(batch);
      return ({ path }) => {
        batch.paths.push(path);
        return true;
      };
    }
    return async ({ path }) => {
      const filled = words.map((word) => word.replaceAll("{}", path));
      if (name === "-ok" && !(await agreed(this.#context, `${filled.join(" ")}? `))) return false;
      return runCommand(this.#context, filled);
    };
  }

  async #property(name: string, text: string): Promise<Test> {
    const { sys } = this.#context;
    switch (name) {
      case "-name":
        return ({ path }) => matchesPattern(baseName(path), text);
      case "-iname":
        return ({ path }) => matchesPattern(baseName(path).toLowerCase(), text.toLowerCase());
      case "-path":
      case "-wholename":
        return ({ path }) => matchesPattern(path, text);
      case "-ipath":
        return ({ path }) => matchesPattern(path.toLowerCase(), text.toLowerCase());
      case "-regex": {
        const regex = compileRegex(`^${text}$`, { extended: false });
        return ({ path }) => regex.test(path);
      }
      case "-type": {
        const kinds = text.split(",").map((letter) => kindLetters[letter]);
        if (kinds.includes(undefined)) throw new Failure(`invalid argument '${text}' to '-type'`);
        return ({ stat }) => kinds.includes(stat.kind);
      }
      case "-size":
        return sizeTest(text);
      case "-newer": {
        const mtime = lookAt(sys, text, true)?.mtime;
        if (mtime === undefined) throw new Failure(`can't stat '${text}': No such file or directory`);
        return ({ stat }) => stat.mtime > mtime;
      }
      case "-samefile": {
        const { inode } = sys.stat(text);
        return ({ stat }) => stat.inode === inode;
      }
      case "-perm":
        return permissionTest(text);
      case "-user": {
        const uid = await uidOf(sys, text);
        return ({ stat }) => stat.uid === uid;
      }
      case "-group": {
        const gid = await gidOf(sys, text);
        return ({ stat }) => stat.gid === gid;
      }
      default:
        return this.#number(name, comparison(text));
    }
  }

  #number(name: string, compare: (value: number) => boolean): Test {
    const { sys } = this.#context;
    switch (name) {
      case "-mtime":
        return ({ stat }) => compare(Number((sys.now() - stat.mtime) / dayNanos));
      case "-mmin":
        return ({ stat }) => compare(Number((sys.now() - stat.mtime) / minuteNanos));
      case "-links":
        return ({ stat }) => compare(stat.links);
      case "-inum":
        return ({ stat }) => compare(stat.inode);
      case "-uid":
        return ({ stat }) => compare(stat.uid);
      default:
        return ({ stat }) => compare(stat.gid);
    }
  }
}

function sizeTest(text: string): Test {
  const [, amount = text, unit = ""] = /^([+-]?\d+)([bcwkMG]?)$/.exec(text) ?? [];
  const compare = comparison(amount);
  const bytes = sizeUnits[unit] ?? 512;
  return ({ stat }) => compare(stat.size / bytes);
}

function permissionTest(text: string): Test {
  const [, sign = "", rest = ""] = /^([-/+]?)(.*)$/.exec(text) ?? [];
  const wanted = changeMode(rest, 0, { umask: 0, directory: false });
  if (wanted === null) throw new Failure(`invalid mode '${text}'`);
  return ({ stat }) =>
    sign === "-" ? (stat.mode & wanted) === wanted : sign === "" ? stat.mode === wanted : (stat.mode & wanted) !== 0;
}

export const programs = { find };
