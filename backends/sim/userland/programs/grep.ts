/** grep, egrep, fgrep: lines that match. */
import { Errno } from "../../../../core/base/errno.ts";
import type { Fd } from "../../kernel/sys.ts";
import {
  batchesOf,
  type Context,
  Failure,
  failing,
  joinPath,
  listDirectory,
  readText,
  reasonOf,
  UsageFailure,
  withInput,
} from "../applet.ts";
import { type Options, parseOptions } from "../options.ts";
import { matchesPattern } from "../pattern.ts";
import { compileRegex, regexSource } from "../regex.ts";

const grep = failing(2, async (context) => {
  const options = parseOptions(context.args, {
    flags: "HhnlLoqvsrRiwFEzxcaPU",
    valued: "mABCefIX",
    long: {
      include: "I",
      exclude: "X",
      color: "a",
      colour: "a",
      "line-number": "n",
      "ignore-case": "i",
      "invert-match": "v",
      count: "c",
      quiet: "q",
      recursive: "r",
      "extended-regexp": "E",
      "fixed-strings": "F",
      "word-regexp": "w",
      "only-matching": "o",
      "files-with-matches": "l",
    },
  });
  const operands = [...options.operands];
  const patterns = await patternsOf(context, options, operands);
  const search = new Search(
    context,
    options,
    matcherOf(context, options, patterns),
    operands.length > 1 || isRecursive(options),
  );
  const names = operands.length === 0 ? [isRecursive(options) ? "." : "-"] : operands;
  for (const name of names) if (await search.file(name)) break;
  if (search.failed && !(options.has("q") && search.found)) return 2;
  return search.found ? 0 : 1;
});

const isRecursive = (options: Options): boolean => options.has("r") || options.has("R");

async function patternsOf(context: Context, options: Options, operands: string[]): Promise<string[]> {
  const given = [...options.values("e")];
  for (const file of options.values("f")) {
    const text = await readText(context.sys, file);
    if (text !== "") given.push(text.replace(/\n$/, ""));
  }
  if (!options.has("e") && !options.has("f")) {
    const first = operands.shift();
    if (first === undefined) throw new UsageFailure("");
    given.push(first);
  }
  return given.flatMap((text) => text.split("\n"));
}

/** One expression for all patterns. */
function matcherOf(context: Context, options: Options, patterns: readonly string[]): RegExp {
  const fixed = options.has("F") || context.name === "fgrep";
  const extended = options.has("E") || context.name === "egrep";
  if (patterns.length === 0) return /(?!)/g;
  const sources = patterns.map((pattern) => {
    const source = sourceOf(pattern, { extended, fixed });
    if (options.has("x")) return `^(?:${source})$`;
    return options.has("w") ? `(?<!\\w)(?:${source})(?!\\w)` : source;
  });
  try {
    return new RegExp(
      sources.length === 1 ? (sources[0] ?? "") : sources.map((source) => `(?:${source})`).join("|"),
      `gu${options.has("i") ? "i" : ""}`,
    );
  } catch {
    return compileRegex(patterns[0] ?? "", { extended, fixed }, "g");
  }
}

/** What is wrong with it is not said. */
function sourceOf(pattern: string, options: { readonly extended: boolean; readonly fixed: boolean }): string {
  try {
    return regexSource(pattern, options);
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    throw new Failure(`bad regex '${pattern}'`);
  }
}

class Search {
  readonly #context: Context;
  readonly #options: Options;
  readonly #matcher: RegExp;
  readonly #named: boolean;
  found = false;
  failed = false;

  constructor(context: Context, options: Options, matcher: RegExp, isMany: boolean) {
    this.#context = context;
    this.#options = options;
    this.#matcher = matcher;
    this.#named = options.last("Hh") === "H" || (isMany && options.last("Hh") !== "h");
  }

  /** True when the search is over. */
  async file(name: string): Promise<boolean> {
    const { sys } = this.#context;
    try {
      if (name !== "-" && sys.stat(name).kind === "directory")
        return isRecursive(this.#options) ? await this.#directory(name) : false;
      return await withInput(sys, name, (fd) => this.#stream(fd, name === "-" ? "(standard input)" : name));
    } catch (thrown) {
      if (!(thrown instanceof Errno)) throw thrown;
      if (thrown.errno === "EPIPE") throw thrown;
      this.failed = true;
      if (!this.#options.has("s"))
        await this.#context.attempt(
          () => Promise.reject(thrown),
          (reason) => `${name}: ${reason}`,
        );
      return false;
    }
  }

  async #directory(path: string): Promise<boolean> {
    for (const { name, kind } of await listDirectory(this.#context.sys, path)) {
      if (kind === "symlink" && !this.#options.has("R") && !(await this.#isLinkedFile(joinPath(path, name)))) continue;
      if (kind === "file" && !this.#isWanted(name)) continue;
      if ((kind === "file" || kind === "directory" || kind === "symlink") && (await this.file(joinPath(path, name))))
        return true;
    }
    return false;
  }

  /** Links to directories are not followed; one that leads nowhere is said. */
  async #isLinkedFile(path: string): Promise<boolean> {
    try {
      return this.#context.sys.stat(path).kind !== "directory";
    } catch (thrown) {
      const reason = reasonOf(thrown);
      if (!this.#options.has("s")) await this.#context.complain(`${path}: ${reason}`, this.#context.code);
      return false;
    }
  }

  #isWanted(name: string): boolean {
    const included = this.#options.values("I");
    const isIn = included.length === 0 || included.some((pattern) => matchesPattern(name, pattern));
    return isIn && !this.#options.values("X").some((pattern) => matchesPattern(name, pattern));
  }

  async #stream(fd: Fd, name: string): Promise<boolean> {
    const options = this.#options;
    const limit = Number(options.value("m") ?? Infinity);
    const printing = new Printing(this.#context, options, this.#named ? name : null, this.#matcher);
    let number = 0;
    let count = 0;
    for await (const { lines } of batchesOf(this.#context.sys, fd, options.has("z") ? "\0" : "\n")) {
      for (const line of lines) {
        number++;
        if (count >= limit && !printing.isTrailing) break;
        const isMatch = this.#matches(line) !== options.has("v") && count < limit;
        if (isMatch) {
          count++;
          this.found = true;
          if (options.has("q")) return true;
        }
        if (isMatch && (options.has("l") || options.has("L"))) break;
        if (!options.has("c") && !options.has("l") && !options.has("L")) printing.line(line, number, isMatch);
      }
      await this.#context.out.settle();
      if ((count > 0 && (options.has("l") || options.has("L"))) || count >= limit) break;
    }
    const prefix = this.#named ? `${name}:` : "";
    if (options.has("c")) this.#context.out.put(`${prefix}${count}\n`);
    if ((options.has("l") && count > 0) || (options.has("L") && count === 0)) this.#context.out.put(`${name}\n`);
    return false;
  }

  #matches(line: string): boolean {
    this.#matcher.lastIndex = 0;
    return this.#matcher.test(line);
  }
}

/** Prints matching lines, and the lines around them. */
class Printing {
  readonly #context: Context;
  readonly #options: Options;
  readonly #name: string | null;
  readonly #matcher: RegExp;
  readonly #before: number;
  readonly #after: number;
  #held: { line: string; number: number }[] = [];
  #trailing = 0;
  #last = 0;

  constructor(context: Context, options: Options, name: string | null, matcher: RegExp) {
    this.#context = context;
    this.#options = options;
    this.#name = name;
    this.#matcher = matcher;
    const around = options.value("C");
    this.#before = Number(options.value("B") ?? around ?? 0);
    this.#after = Number(options.value("A") ?? around ?? 0);
  }

  get isTrailing(): boolean {
    return this.#trailing > 0;
  }

  line(line: string, number: number, isMatch: boolean): void {
    if (isMatch) {
      this.#separate(this.#held[0]?.number ?? number);
      for (const held of this.#held) this.#put(held.line, held.number, "-");
      this.#held = [];
      if (this.#options.has("o") && !this.#options.has("v")) this.#parts(line, number);
      else this.#put(line, number, ":");
      this.#trailing = this.#after;
    } else if (this.#trailing > 0) {
      this.#trailing--;
      this.#put(line, number, "-");
    } else if (this.#before > 0) {
      this.#held.push({ line, number });
      if (this.#held.length > this.#before) this.#held.shift();
    }
  }

  #separate(next: number): void {
    if (this.#last > 0 && next > this.#last + 1 && this.#before + this.#after > 0) this.#context.out.put("--\n");
  }

  #parts(line: string, number: number): void {
    this.#matcher.lastIndex = 0;
    for (const [match] of line.matchAll(this.#matcher)) if (match !== "") this.#put(match, number, ":");
    this.#last = number;
  }

  #put(text: string, number: number, mark: string): void {
    this.#last = number;
    const name = this.#name === null ? "" : `${this.#name}${mark}`;
    const place = this.#options.has("n") ? `${number}${mark}` : "";
    this.#context.out.put(`${name}${place}${text}${this.#options.has("z") ? "\0" : "\n"}`);
  }
}

export const programs = { egrep: grep, fgrep: grep, grep };
