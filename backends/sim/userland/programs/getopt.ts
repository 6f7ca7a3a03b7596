/** getopt(1): a script's arguments put in order, as util-linux' does it. */
import { encodeText } from "../../../../core/base/bytes.ts";
import { applet, UsageFailure } from "../applet.ts";
import { type Options, parseOptions } from "../options.ts";

/** What a script's options may be. */
interface Grammar {
  /** By letter or long name: whether a value follows, must not, or may be attached. */
  readonly letters: ReadonlyMap<string, Value>;
  readonly names: ReadonlyMap<string, Value>;
  /** The first operand ends the options. */
  readonly inOrder: boolean;
  readonly oneDash: boolean;
}

type Value = "none" | "needed" | "optional";

const isTestOnly = 4;

const getopt = applet(async (context) => {
  const [first = ""] = context.args;
  if (context.args.length === 0) throw new UsageFailure("missing optstring argument");
  const isOld = !first.startsWith("-");
  const options = parseOptions(isOld ? ["--", ...context.args] : context.args, {
    flags: "aqQuT",
    valued: "olns",
    inOrder: true,
    long: {
      alternative: "a",
      options: "o",
      longoptions: "l",
      name: "n",
      quiet: "q",
      "quiet-output": "Q",
      shell: "s",
      unquoted: "u",
      test: "T",
    },
  });
  if (options.has("T")) return isTestOnly;
  const shape = options.value("o") ?? options.operands[0];
  if (shape === undefined) throw new UsageFailure("missing optstring argument");
  const words = options.has("o") ? options.operands : options.operands.slice(1);
  const sorter = new Sorter(grammarOf(shape, options), isOld || options.has("u"));
  sorter.read(words[0] === "--" && isOld ? words.slice(1) : words);
  if (!options.has("q"))
    for (const trouble of sorter.troubles)
      await context.sys.write(2, encodeText(`${options.value("n") ?? context.name}: ${trouble}\n`));
  if (!options.has("Q")) await context.out.print(`${sorter.sorted()}\n`);
  return sorter.troubles.length === 0 ? 0 : 1;
});

function grammarOf(shape: string, options: Options): Grammar {
  const letters = new Map<string, Value>();
  for (const [, letter = "", colons = ""] of shape.replace(/^[+-]/, "").matchAll(/([^:])(:{0,2})/g))
    letters.set(letter, valueOf(colons));
  const names = new Map<string, Value>();
  for (const name of options.values("l").flatMap((list) => list.split(/[\s,]+/)))
    if (name !== "") names.set(name.replace(/:+$/, ""), valueOf(/:*$/.exec(name)?.[0] ?? ""));
  return { letters, names, inOrder: shape.startsWith("+"), oneDash: options.has("a") };
}

function valueOf(colons: string): Value {
  return colons === "" ? "none" : colons === ":" ? "needed" : "optional";
}

class Sorter {
  readonly troubles: string[] = [];
  readonly #grammar: Grammar;
  readonly #unquoted: boolean;
  readonly #options: string[] = [];
  readonly #operands: string[] = [];

  constructor(grammar: Grammar, unquoted: boolean) {
    this.#grammar = grammar;
    this.#unquoted = unquoted;
  }

  read(words: readonly string[]): void {
    for (let at = 0; at < words.length; at++) {
      const word = words[at] ?? "";
      const isOption = word.startsWith("-") && word !== "-";
      if (word === "--" || (!isOption && this.#grammar.inOrder)) {
        this.#operands.push(...words.slice(word === "--" ? at + 1 : at));
        return;
      }
      if (!isOption) this.#operands.push(word);
      else if (word.startsWith("--")) at += this.#long(word.slice(2), words[at + 1], "--");
      else if (this.#grammar.oneDash && this.#named(word.slice(1).split("=")[0] ?? "").length === 1)
        at += this.#long(word.slice(1), words[at + 1], "-");
      else at += this.#cluster(word.slice(1), words[at + 1]);
    }
  }

  sorted(): string {
    const operands = this.#operands.map((word) => ` ${this.#quoted(word)}`);
    return ["", ...this.#options, "--"].join(" ") + operands.join("");
  }

  #quoted(text: string): string {
    return this.#unquoted ? text : `'${text.replaceAll("'", "'\\''")}'`;
  }

  #put(option: string, value: string | null): void {
    this.#options.push(value === null ? option : `${option} ${this.#quoted(value)}`);
  }

  /** Gives how many words more it took. */
  #cluster(letters: string, next: string | undefined): number {
    for (let at = 0; at < letters.length; at++) {
      const letter = letters.charAt(at);
      const value = this.#grammar.letters.get(letter);
      const attached = letters.slice(at + 1);
      if (value === undefined) this.troubles.push(`invalid option -- '${letter}'`);
      else if (value === "none") this.#put(`-${letter}`, null);
      else if (attached !== "" || value === "optional") {
        this.#put(`-${letter}`, attached);
        return 0;
      } else if (next === undefined) this.troubles.push(`option requires an argument -- '${letter}'`);
      else {
        this.#put(`-${letter}`, next);
        return 1;
      }
    }
    return 0;
  }

  #long(text: string, next: string | undefined, dashes: string): number {
    const at = text.indexOf("=");
    const wanted = at === -1 ? text : text.slice(0, at);
    const found = this.#named(wanted);
    const [name = ""] = found;
    if (found.length !== 1) {
      this.troubles.push(
        found.length === 0
          ? `unrecognized option '${dashes}${text}'`
          : `option '${dashes}${text}' is ambiguous; possibilities: ${found.map((each) => `'--${each}'`).join(" ")}`,
      );
      return 0;
    }
    const value = this.#grammar.names.get(name);
    if (value === "none" && at !== -1) this.troubles.push(`option '--${name}' doesn't allow an argument`);
    else if (value === "none") this.#put(`--${name}`, null);
    else if (at !== -1 || value === "optional") this.#put(`--${name}`, at === -1 ? "" : text.slice(at + 1));
    else if (next === undefined) this.troubles.push(`option '--${name}' requires an argument`);
    else {
      this.#put(`--${name}`, next);
      return 1;
    }
    return 0;
  }

  /** The name itself, or all that begin so. */
  #named(wanted: string): string[] {
    const names = [...this.#grammar.names.keys()];
    return names.includes(wanted) ? [wanted] : names.filter((name) => name.startsWith(wanted));
  }
}

export const programs = { getopt };
