/**
 * POSIX regular expressions (regex(7)) as JavaScript's: basic ones, where \( \) \{ \} \+ \? \| are
 * special, and extended ones, where they are without the backslash. Matching is JavaScript's: of
 * alternatives the first wins, not the longest.
 */
import { Failure } from "./applet.ts";

export interface RegexOptions {
  readonly extended: boolean;
  readonly ignoreCase?: boolean;
  /** Every character is meant as itself. */
  readonly fixed?: boolean;
}

const classes: Readonly<Record<string, string>> = {
  alpha: "A-Za-z",
  digit: "0-9",
  alnum: "0-9A-Za-z",
  upper: "A-Z",
  lower: "a-z",
  space: " \\t\\n\\r\\f\\v",
  blank: " \\t",
  punct: "!-\\/:-@\\[-`{-~",
  print: "\\x20-\\x7e",
  graph: "\\x21-\\x7e",
  cntrl: "\\x00-\\x1f\\x7f",
  xdigit: "0-9A-Fa-f",
};

/** Backslash and a letter: GNU's extensions, which busybox has too. */
const escapes: Readonly<Record<string, string>> = {
  w: "\\w",
  W: "\\W",
  s: "[ \\t\\n\\r\\f\\v]",
  S: "[^ \\t\\n\\r\\f\\v]",
  b: "\\b",
  B: "\\B",
  "<": "\\b(?=\\w)",
  ">": "\\b(?<=\\w)",
  "`": "^",
  "'": "$",
  n: "\\n",
  t: "\\t",
};

export function escapeRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

/** The source for `new RegExp(…, "u")`. Throws Failure as regcomp(3) words it. */
export function regexSource(pattern: string, { extended, fixed = false }: RegexOptions): string {
  return fixed ? escapeRegex(pattern) : new Translation(pattern, extended).source();
}

export function compileRegex(pattern: string, options: RegexOptions, flags = ""): RegExp {
  const source = regexSource(pattern, options);
  try {
    return new RegExp(source, `u${options.ignoreCase === true ? "i" : ""}${flags}`);
  } catch {
    throw new Failure(`bad regex '${pattern}'`);
  }
}

class Translation {
  readonly #pattern: string;
  readonly #extended: boolean;
  #at = 0;
  #source = "";
  /** Something stands before that can be repeated. */
  #repeatable = false;
  #open = 0;

  constructor(pattern: string, extended: boolean) {
    this.#pattern = pattern;
    this.#extended = extended;
  }

  source(): string {
    while (this.#at < this.#pattern.length) this.#step();
    if (this.#open > 0) throw this.#problem("Unmatched ( or \\(");
    return this.#source;
  }

  #problem(what: string): Failure {
    return new Failure(`bad regex '${this.#pattern}': ${what}`);
  }

  #step(): void {
    const char = String.fromCodePoint(this.#pattern.codePointAt(this.#at) ?? 0);
    this.#at += char.length;
    if (char === "\\") return this.#escaped();
    if (char === "[") return this.#bracket();
    if (char === ".") return this.#atom(".");
    if (char === "*") return this.#repeatable ? this.#repeat("*") : this.#atom(this.#extended ? "" : "\\*", false);
    if (char === "^") return this.#isAtStart() ? this.#anchor("^") : this.#atom("\\^");
    if (char === "$") return this.#isAtEnd() ? this.#anchor("$") : this.#atom("\\$");
    if (this.#extended && "(){|+?".includes(char)) return this.#special(char);
    this.#atom(escapeRegex(char));
  }

  #escaped(): void {
    const char = this.#pattern.charAt(this.#at++);
    if (char === "") throw this.#problem("Trailing backslash");
    if (!this.#extended && "(){|+?".includes(char)) return this.#special(char);
    if (/[1-9]/.test(char)) return this.#atom(`(?:\\${char})`);
    const known = escapes[char];
    if (known !== undefined) return this.#atom(known);
    this.#atom(escapeRegex(char));
  }

  #special(char: string): void {
    switch (char) {
      case "(":
        this.#open++;
        this.#source += "(";
        this.#repeatable = false;
        return;
      case ")":
        if (this.#open === 0) {
          if (this.#extended) return this.#atom("\\)");
          throw this.#problem("Unmatched ) or \\)");
        }
        this.#open--;
        this.#source += ")";
        this.#repeatable = true;
        return;
      case "|":
        this.#source += "|";
        this.#repeatable = false;
        return;
      case "{":
        return this.#interval();
      default:
        return this.#repeatable ? this.#repeat(char) : this.#atom(this.#extended ? "" : `\\${char}`, !this.#extended);
    }
  }

  #interval(): void {
    const closing = this.#extended ? /^(\d*)(,?)(\d*)\}/ : /^(\d*)(,?)(\d*)\\\}/;
    const match = closing.exec(this.#pattern.slice(this.#at));
    const [whole = "", low = "", comma = "", high = ""] = match ?? [];
    if (match === null || !this.#repeatable || (low === "" && comma === "")) {
      if (!this.#extended) throw this.#problem("Invalid preceding regular expression");
      return this.#atom("\\{");
    }
    this.#at += whole.length;
    this.#repeat(`{${low === "" ? "0" : low}${comma}${high}}`);
  }

  /** Repeating twice means the same to POSIX, and an error or laziness to JavaScript. */
  #repeat(operator: string): void {
    const isDoubled = /(?:[*+?]|\})$/.test(this.#source) && !/\\[*+?}]$/.test(this.#source);
    if (isDoubled && operator === "*") return;
    this.#source += operator;
    this.#repeatable = !isDoubled;
  }

  /** A repetition of nothing is nothing to extended ones, and its own character to the others. */
  #atom(source: string, repeatable = true): void {
    this.#source += source;
    this.#repeatable = repeatable;
  }

  #anchor(source: string): void {
    this.#source += source;
    this.#repeatable = false;
  }

  #isAtStart(): boolean {
    return this.#extended || this.#source === "" || /(?:^|[^\\])(?:\(|\|)$/.test(this.#source);
  }

  #isAtEnd(): boolean {
    if (this.#extended || this.#at >= this.#pattern.length) return true;
    return /^\\[)|]/.test(this.#pattern.slice(this.#at));
  }

  #bracket(): void {
    const pattern = this.#pattern;
    let at = this.#at;
    const negated = pattern[at] === "^";
    if (negated) at++;
    let inside = "";
    for (const first = at; ; ) {
      const char = pattern.charAt(at);
      if (char === "") throw this.#problem("Unmatched [, [^, [:, [., or [=");
      if (char === "]" && at > first) break;
      const named = /^\[([:.=])(.*?)\1\]/.exec(pattern.slice(at));
      if (named !== null) {
        inside += named[1] === ":" ? this.#class(named[2] ?? "") : member(named[2] ?? "");
        at += named[0].length;
        continue;
      }
      const isRange = char === "-" && at > first && pattern[at + 1] !== "]" && pattern[at + 1] !== undefined;
      inside += isRange ? "-" : member(char);
      at++;
    }
    this.#at = at + 1;
    this.#atom(`[${negated ? "^" : ""}${inside}]`);
  }

  #class(name: string): string {
    const members = classes[name];
    if (members === undefined) throw this.#problem("Invalid character class name");
    return members;
  }
}

function member(char: string): string {
  return /[\\\][^-]/.test(char) ? `\\${char}` : char;
}
