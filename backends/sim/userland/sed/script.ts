/** A sed script as data, and how it is read (POSIX XCU sed; what GNU adds and busybox has). */
import { Failure } from "../applet.ts";
import { compileRegex } from "../regex.ts";

export type Address =
  | { readonly kind: "line"; readonly number: number }
  | { readonly kind: "last" }
  | { readonly kind: "regex"; readonly regex: RegExp | null }
  | { readonly kind: "step"; readonly first: number; readonly step: number }
  | { readonly kind: "more"; readonly count: number };

export interface Substitution {
  /** null: the last one used. */
  readonly regex: RegExp | null;
  readonly replacement: readonly (string | number | Case)[];
  readonly global: boolean;
  readonly nth: number;
  readonly prints: boolean;
  readonly file: string | null;
}

/** \U, \L, \u, \l, \E. */
export interface Case {
  readonly change: string;
}

export interface Command {
  readonly addresses: readonly Address[];
  readonly negated: boolean;
  readonly name: string;
  readonly text: string;
  readonly substitution?: Substitution;
  readonly map?: ReadonlyMap<string, string>;
  /** Of "{": the index after its "}". */
  end: number;
  /** In a range: the line it ends at, or true while looking for the end. */
  active: number | boolean;
}

export class Parser {
  readonly #text: string;
  readonly #extended: boolean;
  #at = 0;

  constructor(text: string, extended: boolean) {
    this.#text = text;
    this.#extended = extended;
  }

  commands(): Command[] {
    const commands: Command[] = [];
    const open: number[] = [];
    for (;;) {
      this.#skip(/[\s;]*/y);
      if (this.#text[this.#at] === "#") this.#skip(/[^\n]*/y);
      else if (this.#at >= this.#text.length) break;
      else {
        const command = this.#command();
        commands.push(command);
        if (command.name === "{") open.push(commands.length - 1);
        if (command.name === "}") {
          const start = commands[open.pop() ?? -1];
          if (start !== undefined) start.end = commands.length;
        }
      }
    }
    // busybox takes the end of the script for the end of what is open, and nothing for what is not.
    for (const index of open) commands[index] = { ...(commands[index] as Command), end: commands.length };
    return commands;
  }

  #skip(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const text = pattern.exec(this.#text)?.[0] ?? "";
    this.#at += text.length;
    return text;
  }

  #command(): Command {
    const addresses: Address[] = [];
    const first = this.#address(false);
    if (first !== null) {
      addresses.push(first);
      this.#skip(/ */y);
      if (this.#text[this.#at] === ",") {
        this.#at++;
        this.#skip(/ */y);
        const second = this.#address(true);
        if (second === null) throw new Failure("no address after comma");
        addresses.push(second);
      }
    }
    this.#skip(/ */y);
    const negated = this.#skip(/!\s*/y) !== "";
    const name = this.#text.charAt(this.#at++);
    if (name === "") throw new Failure("missing command");
    return { addresses, negated, name, text: "", end: 0, active: false, ...this.#rest(name) };
  }

  #address(isSecond: boolean): Address | null {
    const char = this.#text[this.#at] ?? "";
    if (isSecond && char === "+") {
      this.#at++;
      return { kind: "more", count: Number(this.#skip(/\d*/y)) };
    }
    if (/\d/.test(char)) {
      const first = Number(this.#skip(/\d+/y));
      if (this.#text[this.#at] !== "~") return { kind: "line", number: first };
      this.#at++;
      return { kind: "step", first, step: Number(this.#skip(/\d*/y)) };
    }
    if (char === "$") {
      this.#at++;
      return { kind: "last" };
    }
    if (char !== "/" && char !== "\\") return null;
    this.#at += char === "\\" ? 2 : 1;
    const pattern = this.#until(this.#text.charAt(this.#at - 1));
    const ignoreCase = this.#skip(/I/y) !== "";
    return {
      kind: "regex",
      regex: pattern === "" ? null : compileRegex(pattern, { extended: this.#extended, ignoreCase }),
    };
  }

  /** Text up to a delimiter; an escaped one stands for itself, and brackets hide it. */
  #until(delimiter: string): string {
    let text = "";
    let inBracket = false;
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text.charAt(this.#at);
      if (char === "\\") {
        const next = this.#text.charAt(++this.#at);
        if (next === "t" || (next === "n" && inBracket)) text += next === "t" ? "\t" : "\n";
        else text += next === delimiter ? (/[.*[\]^$+?(){}|]/.test(delimiter) ? `\\${next}` : next) : `\\${next}`;
        continue;
      }
      if (char === delimiter && !inBracket) {
        this.#at++;
        return text;
      }
      if (char === "[" && !inBracket) {
        inBracket = true;
        const opening = /^\[\^?\]?/.exec(this.#text.slice(this.#at))?.[0] ?? "[";
        text += opening;
        this.#at += opening.length - 1;
        continue;
      }
      if (char === "]") inBracket = false;
      text += char;
    }
    throw new Failure(`unmatched '${delimiter}'`);
  }

  #rest(name: string): Partial<Command> {
    switch (name) {
      case "s":
        return { substitution: this.#substitution() };
      case "y":
        return { map: this.#map() };
      case "a":
      case "i":
      case "c":
        return { text: this.#textArgument() };
      case "b":
      case "t":
      case "T":
      case ":":
        return { text: this.#skip(name === ":" ? /\s*[^\n;]*/y : /[ \t]*[^\s;}]*/y).trim() };
      case "r":
      case "w":
      case "R":
        return { text: this.#skip(/[^\n]*/y).trim() };
      case "q":
      case "Q":
      case "l":
        return { text: this.#skip(/[ \t]*\d*/y).trim() };
      default:
        if (!"{}=dDgGhHnNpPx".includes(name)) throw new Failure(`unsupported command ${name}`);
        return {};
    }
  }

  #textArgument(): string {
    this.#skip(/[ \t]*(?:\\\n?)?/y);
    const text = this.#skip(/(?:\\[^]|[^\n\\])*/y);
    return text.replace(/\\([^])/g, "$1");
  }

  #map(): ReadonlyMap<string, string> {
    const delimiter = this.#text.charAt(this.#at++);
    const plain = (text: string): string[] => Array.from(text.replace(/\\n/g, "\n").replace(/\\\\/g, "\\"));
    const [from, to] = [plain(this.#until(delimiter)), plain(this.#until(delimiter))];
    return new Map(from.flatMap((char, index) => (to[index] === undefined ? [] : [[char, to[index]] as const])));
  }

  #substitution(): Substitution {
    const delimiter = this.#text.charAt(this.#at++);
    const pattern = this.#until(delimiter);
    const replacement = replacementOf(this.#replacementText(delimiter));
    const flags = this.#skip(/[gpiIme0-9]*/y);
    const file =
      this.#text[this.#at] === "w"
        ? this.#skip(/[^\n]*/y)
            .slice(1)
            .trim()
        : null;
    const options = { extended: this.#extended, ignoreCase: /[iI]/.test(flags) };
    return {
      regex: pattern === "" ? null : compileRegex(pattern, options, flags.includes("m") ? "gm" : "g"),
      replacement,
      global: flags.includes("g"),
      nth: Number(/\d+/.exec(flags)?.[0] ?? 1),
      prints: flags.includes("p"),
      file,
    };
  }

  #replacementText(delimiter: string): string {
    let text = "";
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text.charAt(this.#at);
      if (char === delimiter) {
        this.#at++;
        return text;
      }
      if (char === "\\") {
        const next = this.#text.charAt(++this.#at);
        text += next === delimiter && next !== "&" ? next : `\\${next}`;
      } else text += char;
    }
    throw new Failure(`unmatched '${delimiter}'`);
  }
}

function replacementOf(text: string): (string | number | Case)[] {
  const parts: (string | number | Case)[] = [];
  for (const [piece] of text.matchAll(/\\[^]|&|[^\\&]+/g)) {
    const letter = piece.charAt(1);
    if (piece === "&") parts.push(0);
    else if (!piece.startsWith("\\")) parts.push(piece);
    else if (/\d/.test(letter)) parts.push(Number(letter));
    else if (/[ULulE]/.test(letter)) parts.push({ change: letter });
    else parts.push(letter === "n" ? "\n" : letter === "t" ? "\t" : letter);
  }
  return parts;
}
