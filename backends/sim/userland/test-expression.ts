/**
 * test(1): conditions on files, texts and numbers. How many arguments there are decides how they are
 * read (POSIX XCU test); only from five on are -a, -o and parentheses parsed.
 */
import { Errno } from "../../../core/base/errno.ts";
import type { Stat } from "../../../core/unionfs/file-system.ts";
import type { Sys } from "../kernel/sys.ts";
import { isTerminal } from "./applet.ts";
import { matchesPattern } from "./pattern.ts";
import { compileRegex } from "./regex.ts";

/** What is wrong with a condition; the caller words it. */
export class TestProblem extends Error {
  override readonly name = "TestProblem";
  readonly kind: "number" | "operator" | "argument" | "parenthesis";
  readonly word: string;
  /** What follows it. */
  readonly next: string;

  constructor(kind: TestProblem["kind"], word: string, next = word) {
    super(`${kind}: ${word}`);
    this.kind = kind;
    this.word = word;
    this.next = next;
  }
}

type BinaryTest = (a: string, b: string, sys: Sys) => boolean;

function stat(sys: Sys, path: string, follow = true): Stat | null {
  try {
    return follow ? sys.stat(path) : sys.lstat(path);
  } catch (thrown) {
    if (thrown instanceof Errno) return null;
    throw thrown;
  }
}

function integer(text: string): bigint {
  if (!/^\s*[+-]?\d+\s*$/.test(text)) throw new TestProblem("number", text);
  return BigInt(text.trim().replace(/^\+/, ""));
}

function newer(sys: Sys, a: string, b: string): boolean {
  const [first, second] = [stat(sys, a), stat(sys, b)];
  return first !== null && second !== null && first.mtime > second.mtime;
}

const binary: Readonly<Record<string, BinaryTest>> = {
  "=": (a, b) => a === b,
  "==": (a, b) => a === b,
  "!=": (a, b) => a !== b,
  "<": (a, b) => a < b,
  ">": (a, b) => a > b,
  "-eq": (a, b) => integer(a) === integer(b),
  "-ne": (a, b) => integer(a) !== integer(b),
  "-lt": (a, b) => integer(a) < integer(b),
  "-le": (a, b) => integer(a) <= integer(b),
  "-gt": (a, b) => integer(a) > integer(b),
  "-ge": (a, b) => integer(a) >= integer(b),
  "-nt": (a, b, sys) => newer(sys, a, b),
  "-ot": (a, b, sys) => newer(sys, b, a),
  "-ef": (a, b, sys) => {
    const [first, second] = [stat(sys, a), stat(sys, b)];
    return first !== null && second !== null && first.inode === second.inode && first.kind === second.kind;
  },
};

function may(sys: Sys, path: string, wanted: "read" | "write" | "execute"): boolean {
  try {
    sys.access(path, { [wanted]: true });
    return true;
  } catch (thrown) {
    if (thrown instanceof Errno) return false;
    throw thrown;
  }
}

const hasKind = (kind: Stat["kind"]) => (a: string, sys: Sys) => stat(sys, a)?.kind === kind;
const hasBit = (bit: number) => (a: string, sys: Sys) => ((stat(sys, a)?.mode ?? 0) & bit) !== 0;

const unary: Readonly<Record<string, (a: string, sys: Sys) => boolean>> = {
  "-n": (a) => a !== "",
  "-z": (a) => a === "",
  "-e": (a, sys) => stat(sys, a) !== null,
  "-a": (a, sys) => stat(sys, a) !== null,
  "-f": hasKind("file"),
  "-d": hasKind("directory"),
  "-c": hasKind("character"),
  "-b": hasKind("block"),
  "-p": hasKind("fifo"),
  "-S": hasKind("socket"),
  "-h": (a, sys) => stat(sys, a, false)?.kind === "symlink",
  "-L": (a, sys) => stat(sys, a, false)?.kind === "symlink",
  "-s": (a, sys) => (stat(sys, a)?.size ?? 0) > 0,
  "-u": hasBit(0o4000),
  "-g": hasBit(0o2000),
  "-k": hasBit(0o1000),
  "-r": (a, sys) => may(sys, a, "read"),
  "-w": (a, sys) => may(sys, a, "write"),
  "-x": (a, sys) => may(sys, a, "execute"),
  "-O": (a, sys) => stat(sys, a)?.uid === sys.credentials().uid,
  "-G": (a, sys) => stat(sys, a)?.gid === sys.credentials().gid,
  "-t": (a, sys) => isTerminal(sys, Number(integer(a))),
};

const isUnary = (word: string | undefined): word is string =>
  word !== undefined && word !== "-a" && Object.hasOwn(unary, word);

/** Which operators there are, and what they do. */
export type Operators = Readonly<Record<string, BinaryTest>>;

/** Without "==", which is another "=" to all but dash. */
export const posixOperators: Operators = Object.fromEntries(Object.entries(binary).filter(([name]) => name !== "=="));

/** Of ash's "[[": texts are compared with patterns. */
export const patternOperators: Operators = {
  ...binary,
  "=": (a, b) => matchesPattern(a, b),
  "==": (a, b) => matchesPattern(a, b),
  "!=": (a, b) => !matchesPattern(a, b),
  "=~": (a, b) => compileRegex(b, { extended: true }).test(a),
};

/** Whether the condition holds. Throws TestProblem. */
export function evaluateTest(args: readonly string[], sys: Sys, operators: Operators = binary): boolean {
  const isBinary = (word: string | undefined): word is string => word !== undefined && Object.hasOwn(operators, word);
  const [a = "", b = "", c = "", d = ""] = args;
  if (args.length === 0) return false;
  if (args.length === 1) return a !== "";
  if (args.length === 2 && a === "!") return b === "";
  if (args.length === 2 && (b === "-a" || b === "-o") && !isUnary(a)) return b === "-o" && a !== "";
  if (args.length === 2 && !isUnary(a))
    throw isBinary(b) ? new TestProblem("argument", b) : new TestProblem("operator", a);
  if (args.length === 3 && isBinary(b)) return operators[b]?.(a, c, sys) ?? false;
  if (args.length === 3 && a === "!") return !evaluateTest([b, c], sys, operators);
  if (args.length === 3 && a === "(" && c === ")") return b !== "";
  if (args.length === 4 && a === "!") return !evaluateTest([b, c, d], sys, operators);
  if (args.length === 4 && a === "(" && d === ")") return evaluateTest([b, c], sys, operators);
  return new Reader(args, sys, operators).whole();
}

class Reader {
  readonly #args: readonly string[];
  readonly #sys: Sys;
  readonly #operators: Operators;
  #at = 0;

  constructor(args: readonly string[], sys: Sys, operators: Operators) {
    this.#args = args;
    this.#sys = sys;
    this.#operators = operators;
  }

  whole(): boolean {
    const result = this.#or();
    const rest = this.#args[this.#at];
    if (rest !== undefined) throw new TestProblem("operator", this.#args[this.#at - 1] ?? "", rest);
    return result;
  }

  #or(): boolean {
    let result = this.#and();
    while (this.#args[this.#at] === "-o") {
      this.#at++;
      const right = this.#and();
      result = result || right;
    }
    return result;
  }

  #and(): boolean {
    let result = this.#not();
    while (this.#args[this.#at] === "-a") {
      this.#at++;
      const right = this.#not();
      result = result && right;
    }
    return result;
  }

  #not(): boolean {
    if (this.#args[this.#at] !== "!") return this.#primary();
    this.#at++;
    return !this.#not();
  }

  #primary(): boolean {
    const [word, operator, right] = this.#args.slice(this.#at);
    if (word === undefined) throw new TestProblem("argument", this.#args.at(-1) ?? "");
    const compare = operator === undefined ? undefined : this.#operators[operator];
    if (compare !== undefined && right !== undefined) {
      this.#at += 3;
      return compare(word, right, this.#sys);
    }
    if (word === "(") return this.#inParentheses();
    if (isUnary(word)) {
      if (operator === undefined) throw new TestProblem("argument", word);
      this.#at += 2;
      return unary[word]?.(operator, this.#sys) ?? false;
    }
    if (compare !== undefined) throw new TestProblem("argument", operator ?? "");
    this.#at++;
    return word !== "";
  }

  #inParentheses(): boolean {
    this.#at++;
    const result = this.#or();
    if (this.#args[this.#at] !== ")") throw new TestProblem("parenthesis", ")");
    this.#at++;
    return result;
  }
}
