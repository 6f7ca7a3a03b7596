/**
 * Flags, in the grammar Docker's users know (that of Go's pflag): `--name value`, `--name=value`,
 * `-n value`, `-nvalue`, `-n=value`, clusters (`-it`), `--switch=false`; `--` ends them, and a
 * command that starts programs stops at its first argument. A table of Flag values describes a
 * command's flags; the types of the parsed values follow from it.
 */
export interface Flag<T> {
  readonly short: string | null;
  /** What help shows for the value: "string", "list", "bytes"; "" for a switch. */
  readonly type: string;
  readonly help: string;
  readonly initial: T;
  /** What `--flag` without a value means; null: a value is needed. */
  readonly bare: string | null;
  /** The new value after `text` was given; throws Error with pflag's reason. */
  take(text: string, before: T): T;
}

export type FlagTable = Readonly<Record<string, Flag<unknown>>>;
export type FlagValues<Table> = { readonly [Name in keyof Table]: Table[Name] extends Flag<infer T> ? T : never };

export interface Parsed<Table> {
  readonly values: FlagValues<Table>;
  /** The names of the flags that were given. */
  readonly given: ReadonlySet<string>;
  readonly args: readonly string[];
}

export const flag = {
  bool: (short: string | null, help: string, initial = false): Flag<boolean> => ({
    short,
    type: "",
    help,
    initial,
    bare: "true",
    take: parseBool,
  }),
  text: (short: string | null, help: string, type = "string", initial = ""): Flag<string> => ({
    short,
    type,
    help,
    initial,
    bare: null,
    take: (text) => text,
  }),
  integer: (short: string | null, help: string, initial = 0): Flag<number> => ({
    short,
    type: "int",
    help,
    initial,
    bare: null,
    take: parseInteger,
  }),
  /** One value of its own kind; `parse` throws Error. */
  value: <T>(short: string | null, type: string, help: string, initial: T, parse: (text: string) => T): Flag<T> => ({
    short,
    type,
    help,
    initial,
    bare: null,
    take: parse,
  }),
  /** May be given many times; each value is checked, and may be changed, by `parse`. */
  list: <T = string>(
    short: string | null,
    help: string,
    type = "list",
    parse: (text: string) => T = (text) => text as T,
  ): Flag<readonly T[]> => ({
    short,
    type,
    help,
    initial: [],
    bare: null,
    take: (text, before) => [...before, parse(text)],
  }),
};

const truths: Readonly<Record<string, boolean>> = {
  ...Object.fromEntries(["1", "t", "T", "true", "TRUE", "True"].map((text) => [text, true])),
  ...Object.fromEntries(["0", "f", "F", "false", "FALSE", "False"].map((text) => [text, false])),
};

function parseBool(text: string): boolean {
  const truth = truths[text];
  if (truth === undefined) throw new Error(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
  return truth;
}

function parseInteger(text: string): number {
  if (!/^[-+]?(\d+|0x[\da-f]+)$/i.test(text))
    throw new Error(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
}

/** Throws FlagProblem. `interspersed`: flags may also follow arguments. */
export function parseFlags<Table extends FlagTable>(
  table: Table,
  argv: readonly string[],
  interspersed: boolean,
): Parsed<Table> {
  const parser = new Parser(table, argv);
  parser.parse(interspersed);
  return { values: parser.values as FlagValues<Table>, given: parser.given, args: parser.args };
}

export class FlagProblem extends Error {
  override readonly name = "FlagProblem";
}

class Parser {
  readonly values: Record<string, unknown> = {};
  readonly given = new Set<string>();
  readonly args: string[] = [];
  readonly #table: FlagTable;
  readonly #argv: readonly string[];
  readonly #short: Record<string, string> = {};
  #at = 0;

  constructor(table: FlagTable, argv: readonly string[]) {
    this.#table = table;
    this.#argv = argv;
    for (const [name, each] of Object.entries(table)) {
      this.values[name] = each.initial;
      if (each.short !== null) this.#short[each.short] = name;
    }
  }

  parse(interspersed: boolean): void {
    for (let word = this.#next(); word !== undefined; word = this.#next()) {
      if (word === "--") return this.#rest();
      if (word.startsWith("--")) this.#long(word);
      else if (word.startsWith("-") && word !== "-") this.#cluster(word.slice(1));
      else {
        this.args.push(word);
        if (!interspersed) return this.#rest();
      }
    }
  }

  #next(): string | undefined {
    return this.#argv[this.#at++];
  }

  #rest(): void {
    this.args.push(...this.#argv.slice(this.#at));
    this.#at = this.#argv.length;
  }

  #long(word: string): void {
    const [, name = "", text] = /^--([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === "") throw new FlagProblem(`bad flag syntax: ${word}`);
    const known = this.#flag(name);
    if (known === undefined) throw new FlagProblem(name === "help" ? helpAsked : `unknown flag: --${name}`);
    const value = text ?? known.bare ?? this.#next();
    if (value === undefined) throw new FlagProblem(`flag needs an argument: --${name}`);
    this.#set(name, value);
  }

  /** The letters after a single dash; the first one that needs a value takes the rest of them. */
  #cluster(letters: string): void {
    for (let rest = letters; rest !== ""; ) {
      const letter = rest.slice(0, 1);
      const name = this.#short[letter];
      const known = name === undefined ? undefined : this.#flag(name);
      if (name === undefined || known === undefined)
        throw new FlagProblem(rest === "h" ? helpAsked : `unknown shorthand flag: '${letter}' in -${rest}`);
      const inline = rest.length > 2 && rest[1] === "=" ? rest.slice(2) : null;
      if (inline === null && known.bare !== null) {
        this.#set(name, known.bare);
        rest = rest.slice(1);
        continue;
      }
      const value = inline ?? (rest.length > 1 ? rest.slice(1) : this.#next());
      if (value === undefined) throw new FlagProblem(`flag needs an argument: '${letter}' in -${rest}`);
      return this.#set(name, value);
    }
  }

  #flag(name: string): Flag<unknown> | undefined {
    return Object.hasOwn(this.#table, name) ? this.#table[name] : undefined;
  }

  #set(name: string, text: string): void {
    const known = this.#flag(name);
    if (known === undefined) return;
    try {
      this.values[name] = known.take(text, this.values[name]);
    } catch (thrown) {
      const shown = known.short === null ? `--${name}` : `-${known.short}, --${name}`;
      const reason = thrown instanceof Error ? thrown.message : String(thrown);
      throw new FlagProblem(`invalid argument ${JSON.stringify(text)} for "${shown}" flag: ${reason}`);
    }
    this.given.add(name);
  }
}

/** The "problem" of `--help` and of a free `-h`: not one. */
export const helpAsked = "help requested";
