/**
 * Word expansion (POSIX XCU 2.6): tilde, parameters, commands and arithmetic, then field splitting,
 * then pathnames. A word becomes any number of fields. Next to each field's text its pattern is kept,
 * in which quoted characters are escaped, so that only unquoted ones can be wildcards.
 */
import { encodeText } from "../../../../core/base/bytes.ts";
import { readUsers } from "../accounts.ts";
import { escapePattern, hasWildcards, patternSource } from "../pattern.ts";
import { ArithmeticProblem, evaluate, type Numbers } from "./arithmetic.ts";
import { glob } from "./glob.ts";
import { type Run, settled } from "../run.ts";
import { type Shell, ShellError } from "./shell.ts";
import type { Interpreter } from "./interpret.ts";
import type { Parameter, ParameterOperation, Segment, Word } from "./tree.ts";

export class Expander {
  readonly #shell: Shell;
  readonly #interpreter: Interpreter;
  readonly #numbers: Numbers;

  constructor(shell: Shell, interpreter: Interpreter) {
    this.#shell = shell;
    this.#interpreter = interpreter;
    this.#numbers = {
      get: (name) => this.#number(name),
      set: (name, value) => shell.variables.set(name, value),
    };
  }

  /** The fields of a command's words. */
  *fields(words: readonly Word[]): Run<string[]> {
    const all: string[] = [];
    for (const word of words) {
      const quick = word.constant ?? this.#quick(word);
      if (quick === null) all.push(...(yield* this.#split(word)));
      else all.push(quick);
    }
    return all;
  }

  /** One text, without splitting and pathnames: of an assignment, a here-document, a redirection. */
  *text(word: Word): Run<string> {
    if (word.constant !== null) return word.constant;
    const [only] = word.segments;
    if (word.segments.length === 1 && only?.kind === "arithmetic" && only.text.constant !== null)
      return this.#evaluated(only.text.constant);
    const fields = new Fields("", this.#firstSeparator());
    for (const segment of word.segments) yield* this.#into(fields, segment, false);
    return fields.text();
  }

  /** A shell pattern: of `case` and of `${x#…}`. */
  *pattern(word: Word): Run<string> {
    const fields = new Fields("", this.#firstSeparator());
    for (const segment of word.segments) yield* this.#into(fields, segment, false);
    return fields.pattern();
  }

  /** "$x", and $x when its value has nothing to split on: the usual words of a loop. */
  #quick(word: Word): string | null {
    const [first, second, ...rest] = word.segments;
    if (first === undefined || rest.length > 0) return null;
    const isQuoted = first.kind === "text" && first.quoted && first.text === "" && second !== undefined;
    const segment = isQuoted ? second : second === undefined ? first : null;
    if (segment?.kind !== "parameter" || segment.operation !== null || /^[@*~]/.test(segment.name)) return null;
    if (segment.index !== undefined || segment.indirect === true) return null;
    if (this.#shell.extension !== null && this.#shell.variables.find(segment.name)?.reference === true) return null;
    const value = this.#known(segment.name);
    if (value === null) return null;
    if (segment.quoted) return value;
    return value !== "" && this.#shell.variables.get("IFS") === " \t\n" && !/[\s*?[\\]/.test(value) ? value : null;
  }

  /** An arithmetic command's value. */
  *arithmetic(word: Word): Run<string> {
    return this.#evaluated(yield* this.text(word));
  }

  *#split(word: Word): Run<string[]> {
    const fields = new Fields(this.#shell.variables.get("IFS") ?? " \t\n", this.#firstSeparator());
    for (const segment of word.segments) yield* this.#into(fields, segment, false);
    const found = fields.all();
    if (this.#shell.options.has("f")) return found.map(({ text }) => text);
    const all: string[] = [];
    for (const { text, pattern } of found) {
      if (!hasWildcards(pattern)) {
        all.push(text);
        continue;
      }
      const { extension, sys } = this.#shell;
      const matches = yield* settled(glob(sys, pattern, extension?.showsHidden ?? false));
      all.push(...(matches.length > 0 ? matches : (extension?.unmatched(text) ?? [text])));
    }
    return all;
  }

  /** `isOperand`: plain text stands in an expansion, and is split as its result would be. */
  *#into(fields: Fields, segment: Segment, isOperand: boolean): Run<void> {
    switch (segment.kind) {
      case "text":
        if (segment.quoted) fields.addQuoted(segment.text);
        else if (isOperand) fields.addSplit(segment.text);
        else fields.addPlain(segment.text);
        return;
      case "command": {
        const output = yield* this.#interpreter.substitute(segment.source, segment.line);
        return add(fields, output, segment.quoted);
      }
      case "arithmetic": {
        const text = yield* this.text(segment.text);
        return add(fields, this.#evaluated(text), segment.quoted);
      }
      case "parameter":
        return yield* this.#parameter(fields, segment);
      case "process": {
        const { extension } = this.#shell;
        return extension === null ? undefined : fields.addQuoted(yield* extension.process(this.#interpreter, segment));
      }
    }
  }

  #evaluated(text: string): string {
    const { extension, dialect } = this.#shell;
    try {
      const plain = extension?.arithmetic(this.#interpreter, text) ?? text;
      return String(evaluate(plain, this.#numbers, dialect !== "dash"));
    } catch (thrown) {
      if (thrown instanceof ArithmeticProblem) throw new ShellError(thrown.message, extension === null ? 2 : 1);
      throw thrown;
    }
  }

  /** In bash a variable's value is an expression in its turn. */
  #number(name: string): string {
    const value = this.#known(name) ?? "";
    if (this.#shell.extension === null || /^[-+]?\d*$/.test(value) || value === name) return value;
    return this.#evaluated(value);
  }

  #unset(name: string, why = "parameter not set"): ShellError {
    const { extension, input, options } = this.#shell;
    const status = extension === null ? 2 : input === "command" && !options.has("e") ? 127 : 1;
    return new ShellError(`${name}: ${why}`, status);
  }

  *#parameter(fields: Fields, segment: Parameter): Run<void> {
    const { name, quoted, operation } = segment;
    if (name.startsWith("~")) return fields.addQuoted(yield* this.#home(name));
    const { extension } = this.#shell;
    const values = extension === null ? null : yield* extension.parameter(this.#interpreter, segment);
    if (values !== null) return fields.addAll(values.texts, quoted, values.apart);
    if (operation === null) return this.#plain(fields, name, quoted);
    if (
      operation.kind === "bad" ||
      operation.kind === "case" ||
      operation.kind === "transform" ||
      operation.kind === "names"
    )
      throw new ShellError("Bad substitution");
    if (operation.kind === "replace" || operation.kind === "slice") {
      if (this.#shell.dialect === "dash") throw new ShellError("Bad substitution");
      const value = this.#joined(name) ?? "";
      const text =
        operation.kind === "slice" ? yield* this.slice(value, operation) : yield* this.replaced(value, operation);
      return add(fields, text, quoted);
    }
    if (operation.kind === "length") return add(fields, this.#length(name), quoted);
    if (operation.kind === "remove") return add(fields, yield* this.removed(this.#needed(name), operation), quoted);
    return yield* this.#default(fields, segment, operation);
  }

  #plain(fields: Fields, name: string, quoted: boolean): void {
    if (name === "@" || name === "*") return fields.addAll(this.#shell.positional, quoted, name === "@");
    const value = this.#known(name);
    if (value === null) return this.#missing(name, fields, quoted);
    add(fields, value, quoted);
  }

  /** An unset parameter is nothing, or an error with `set -u`. */
  #missing(name: string, fields: Fields, quoted: boolean): void {
    if (this.#shell.options.has("u")) throw this.#unset(name);
    if (quoted) fields.addQuoted("");
  }

  #length(name: string): string {
    if (name === "@" || name === "*") return String(this.#shell.positional.length);
    const value = this.#known(name);
    if (value === null && this.#shell.options.has("u")) throw this.#unset(name);
    return String(encodeText(value ?? "").length);
  }

  /** The named parameter's value; with `set -u` it has to have one. */
  #needed(name: string): string {
    const value = this.#joined(name);
    if (value === null && this.#shell.options.has("u")) throw this.#unset(name);
    return value ?? "";
  }

  *removed(value: string, operation: Extract<ParameterOperation, { kind: "remove" }>): Run<string> {
    return without(value, yield* this.pattern(operation.operand), operation.operator);
  }

  *slice(value: string, { offset, length }: Extract<ParameterOperation, { kind: "slice" }>): Run<string> {
    const chars = Array.from(value);
    const from = Number(this.#evaluated(yield* this.text(offset)));
    const start = from < 0 ? Math.max(0, chars.length + from) : from;
    if (length === null) return chars.slice(start).join("");
    const count = Number(this.#evaluated(yield* this.text(length)));
    return chars.slice(start, count < 0 ? chars.length + count : start + count).join("");
  }

  /** "/#" and "/%" tie the pattern to an end in bash; to ash the sign is a part of it. */
  *replaced(value: string, operation: Extract<ParameterOperation, { kind: "replace" }>): Run<string> {
    const { how } = operation;
    const anchor = how.length === 2 && how !== "//" ? how.charAt(1) : "";
    const isAnchored = anchor !== "" && this.#shell.dialect === "bash";
    const pattern = (isAnchored ? "" : anchor) + (yield* this.pattern(operation.pattern));
    const replacement = yield* this.text(operation.replacement);
    if (pattern === "") return value;
    const [before, after] = isAnchored ? [anchor === "#" ? "^" : "", anchor === "%" ? "$" : ""] : ["", ""];
    const regex = new RegExp(`${before}(?:${patternSource(pattern)})${after}`, how === "//" ? "gsu" : "su");
    const isPlain = this.#shell.extension === null || operation.replacement.segments.every(isQuoted);
    return value.replace(regex, (match) => (isPlain ? replacement : withMatch(replacement, match)));
  }

  *#default(
    fields: Fields,
    segment: Parameter,
    operation: Extract<ParameterOperation, { kind: "default" }>,
  ): Run<void> {
    const { name, quoted } = segment;
    const value = this.#joined(name);
    const isThere = value !== null && !(operation.colon && value === "");
    if (operation.operator === "+") {
      if (isThere) yield* this.#operand(fields, operation.operand, quoted);
      else if (quoted) fields.addQuoted("");
      return;
    }
    if (isThere) return this.#plain(fields, name, quoted);
    if (operation.operator === "-") return yield* this.#operand(fields, operation.operand, quoted);
    const text = yield* this.text(operation.operand);
    if (operation.operator === "=") {
      if (!/^[A-Za-z_]/.test(name)) throw new ShellError(`${name}: bad variable name`);
      this.#shell.variables.set(name, text);
      return add(fields, text, quoted);
    }
    const standard = operation.colon ? "parameter not set or null" : "parameter not set";
    throw this.#unset(name, text === "" ? standard : text);
  }

  *#operand(fields: Fields, word: Word, quoted: boolean): Run<void> {
    if (quoted) fields.addQuoted("");
    for (const segment of word.segments) yield* this.#into(fields, segment, true);
  }

  /** "$@" counts as unset when there are no positional parameters. */
  #joined(name: string): string | null {
    if (name !== "@" && name !== "*") return this.#known(name);
    return this.#shell.positional.length === 0 ? null : this.#shell.positional.join(this.#firstSeparator());
  }

  #firstSeparator(): string {
    const separators = this.#shell.variables.get("IFS");
    return separators === null ? " " : separators.charAt(0);
  }

  /** A variable's or special parameter's value; null when it is unset. */
  #known(name: string): string | null {
    const shell = this.#shell;
    const value = shell.variables.get(name) ?? shell.extension?.special(this.#interpreter, name) ?? null;
    if (value !== null) return value;
    switch (name) {
      case "?":
        return String(shell.status);
      case "#":
        return String(shell.positional.length);
      case "$":
        return String(shell.pid);
      case "!":
        return shell.lastBackground === null ? null : String(shell.lastBackground);
      case "-":
        return shell.extension?.letters(this.#interpreter) ?? shell.optionLetters();
      case "0":
        return shell.name;
      case "LINENO":
        return shell.dialect === "dash" ? null : String(shell.currentLine);
      case "RANDOM": {
        if (shell.dialect === "dash") return null;
        const [low = 0, high = 0] = shell.sys.random(2);
        return String(((high & 127) << 8) | low);
      }
      default:
        return /^\d+$/.test(name) ? (shell.positional[Number(name) - 1] ?? null) : null;
    }
  }

  /** A user's directory; the prefix itself when there is none. */
  *#home(prefix: string): Run<string> {
    if (prefix === "~") return this.#shell.variables.get("HOME") ?? "~";
    const users = yield* settled(readUsers(this.#shell.sys));
    return users.find(({ name }) => name === prefix.slice(1))?.home ?? prefix;
  }
}

function isQuoted(segment: Segment): boolean {
  return segment.kind === "process" || segment.quoted;
}

/** In bash "&" stands for what was matched. */
function withMatch(replacement: string, match: string): string {
  return replacement.replace(/\\&|&/g, (found) => (found === "&" ? match : "&"));
}

function add(fields: Fields, text: string, quoted: boolean): void {
  if (quoted) fields.addQuoted(text);
  else fields.addSplit(text);
}

function without(value: string, pattern: string, operator: "#" | "##" | "%" | "%%"): string {
  const isPrefix = operator.startsWith("#");
  const shortest = operator.length === 1;
  const source = patternSource(pattern, shortest);
  if (isPrefix) return value.replace(new RegExp(`^(?:${source})`, "su"), "");
  const kept = new RegExp(`^([^]*${shortest ? "" : "?"})(?:${patternSource(pattern)})$`, "su").exec(value);
  return kept?.[1] ?? value;
}

interface Field {
  readonly text: string;
  readonly pattern: string;
}

/** Fields in the making. */
class Fields {
  readonly #separators: string;
  readonly #joiner: string;
  readonly #done: Field[] = [];
  #text = "";
  #pattern = "";
  /** There is a field, though it may be empty yet. */
  #begun = false;
  /** What stood before: white space ends a field, one other separator ends one even when it is empty. */
  #after: "text" | "blank" | "separator" = "text";

  /** No separators: nothing is split. */
  constructor(separators: string, joiner: string) {
    this.#separators = separators;
    this.#joiner = joiner;
  }

  addQuoted(text: string): void {
    this.#append(text, escapePattern(text));
    this.#begun = true;
  }

  addPlain(text: string): void {
    if (text !== "") this.#append(text, text);
  }

  /** The result of an expansion outside quotes. */
  addSplit(text: string): void {
    if (this.#separators === "") return this.addPlain(text);
    let from = 0;
    for (let at = 0; at < text.length; at++) {
      const char = text.charAt(at);
      if (!this.#separators.includes(char)) continue;
      this.addPlain(text.slice(from, at));
      this.#separate(/[ \t\n]/.test(char));
      from = at + 1;
    }
    this.addPlain(text.slice(from));
  }

  /** "$@" and "$*", and both without quotes. */
  addAll(texts: readonly string[], quoted: boolean, apart: boolean): void {
    if (quoted && !apart) return this.addQuoted(texts.join(this.#joiner));
    for (const [index, text] of texts.entries()) {
      if (index > 0) this.#break();
      if (quoted) this.addQuoted(text);
      else this.addSplit(text);
    }
  }

  all(): Field[] {
    if (this.#begun) this.#finish();
    return this.#done;
  }

  text(): string {
    return this.all()
      .map(({ text }) => text)
      .join(" ");
  }

  pattern(): string {
    return this.all()
      .map(({ pattern }) => pattern)
      .join(" ");
  }

  #append(text: string, pattern: string): void {
    this.#text += text;
    this.#pattern += pattern;
    this.#begun = true;
    this.#after = "text";
  }

  #separate(isBlank: boolean): void {
    if (isBlank) {
      if (!this.#begun) return;
      this.#finish();
      this.#after = "blank";
    } else if (this.#after === "blank" && !this.#begun) this.#after = "separator";
    else {
      this.#finish();
      this.#after = "separator";
    }
  }

  /** Between two of "$@": a new field, unless nothing stands before it. */
  #break(): void {
    if (this.#begun) this.#finish();
    this.#after = "text";
  }

  #finish(): void {
    this.#done.push({ text: this.#text, pattern: this.#pattern });
    this.#text = "";
    this.#pattern = "";
    this.#begun = false;
  }
}
