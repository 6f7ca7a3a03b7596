/** sed: a script of commands run over each line. */
import { Errno, errnoText } from "../../../../core/base/errno.ts";
import { allLines, applet, type Context, Failure, readText, UsageFailure, withInput } from "../applet.ts";
import { type Options, parseOptions } from "../options.ts";
import { compileRegex } from "../regex.ts";

type Address =
  | { readonly kind: "line"; readonly number: number }
  | { readonly kind: "last" }
  | { readonly kind: "regex"; readonly regex: RegExp | null }
  | { readonly kind: "step"; readonly first: number; readonly step: number }
  | { readonly kind: "more"; readonly count: number };

interface Substitution {
  /** null: the last one used. */
  readonly regex: RegExp | null;
  readonly replacement: readonly (string | number | Case)[];
  readonly global: boolean;
  readonly nth: number;
  readonly prints: boolean;
  readonly file: string | null;
}

/** \U, \L, \u, \l, \E. */
interface Case {
  readonly change: string;
}

interface Command {
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

const sed = applet(async (context) => {
  const options = parseOptions(joinInPlace(context.args), {
    flags: "nrEsuz",
    valued: "efI",
    long: { expression: "e", file: "f", quiet: "n", silent: "n", "regexp-extended": "E", "in-place": "I" },
  });
  const operands = [...options.operands];
  const script = await scriptOf(context, options, operands);
  const extended = options.has("r") || options.has("E");
  const editor = new Editor(context, new Parser(script, extended).commands(), options.has("n"));
  if (options.has("I")) await inPlace(context, operands, editor, options.value("I") ?? "");
  else await editor.run(await inputOf(context, operands));
  return editor.code ?? context.code;
});

/** -i takes its suffix attached or not at all. */
function joinInPlace(args: readonly string[]): string[] {
  return args.flatMap((arg) => {
    const [, before, suffix] = /^-([nrEsz]*)i(.*)$/.exec(arg) ?? [];
    if (suffix === undefined) return [arg];
    return [...(before === "" ? [] : [`-${before}`]), "-I", suffix];
  });
}

async function scriptOf(context: Context, options: Options, operands: string[]): Promise<string> {
  const parts = [...options.values("e")];
  for (const file of options.values("f")) parts.push((await readText(context.sys, file)).replace(/\n$/, ""));
  if (parts.length === 0) {
    const first = operands.shift();
    if (first === undefined) throw new UsageFailure("");
    parts.push(first);
  }
  return parts.join("\n");
}

interface Input {
  readonly lines: string[];
  /** The very last line has its newline. */
  ended: boolean;
}

async function inputOf(context: Context, names: readonly string[]): Promise<Input> {
  const input: Input = { lines: [], ended: true };
  for (const name of names.length === 0 ? ["-"] : names) {
    await context.attempt(
      async () => {
        const { lines, ended } = await withInput(context.sys, name, (fd) => allLines(context.sys, fd));
        for (const line of lines) input.lines.push(line);
        input.ended = ended;
      },
      (reason) => (reason === "Is a directory" ? `read error on ${name}: ${reason}` : `${name}: ${reason}`),
    );
  }
  return input;
}

async function inPlace(context: Context, names: readonly string[], editor: Editor, suffix: string): Promise<void> {
  const { sys } = context;
  for (const name of names) {
    try {
      const { lines, ended } = await withInput(sys, name, (fd) => allLines(sys, fd));
      const text = await editor.runToText({ lines, ended });
      if (suffix !== "") sys.rename(name, suffix.includes("*") ? suffix.replaceAll("*", name) : name + suffix);
      const fd = await sys.open(name, { access: "write", create: true, truncate: true });
      await sys.write(fd, new TextEncoder().encode(text));
      sys.close(fd);
    } catch (thrown) {
      if (!(thrown instanceof Errno)) throw thrown;
      await context.complain(`${name}: ${errnoText(thrown.errno)}`);
    }
  }
}

class Parser {
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
          if (start === undefined) throw new Failure("unexpected '}'");
          start.end = commands.length;
        }
      }
    }
    if (open.length > 0) throw new Failure("unterminated {");
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
        text += next === delimiter ? (/[.*[\]^$+?(){}|]/.test(delimiter) ? `\\${next}` : next) : `\\${next}`;
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
    this.#skip(/[ \t]*(?:\\[ \t]*\n?)?/y);
    const text = this.#skip(/(?:\\[^]|[^\n\\])*/y);
    return text.replace(/\\([^])/g, "$1");
  }

  #map(): ReadonlyMap<string, string> {
    const delimiter = this.#text.charAt(this.#at++);
    const plain = (text: string): string[] => Array.from(text.replace(/\\n/g, "\n").replace(/\\\\/g, "\\"));
    const [from, to] = [plain(this.#until(delimiter)), plain(this.#until(delimiter))];
    if (from.length !== to.length) throw new Failure("strings for y command are different lengths");
    return new Map(from.map((char, index) => [char, to[index] ?? ""]));
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

const stepFuel = 500;

class Editor {
  readonly #context: Context;
  readonly #commands: readonly Command[];
  readonly #silent: boolean;
  readonly #labels: ReadonlyMap<string, number>;
  /** The exit status a `q` gave. */
  code: number | null = null;
  #input: Input = { lines: [], ended: true };
  #number = 0;
  #pattern = "";
  #hold = "";
  #after: string[] = [];
  #output: string[] = [];
  #changed = false;
  #lastRegex: RegExp | null = null;
  #written = new Map<string, number>();

  constructor(context: Context, commands: readonly Command[], silent: boolean) {
    this.#context = context;
    this.#commands = commands;
    this.#silent = silent;
    this.#labels = new Map(
      commands.flatMap((command, index) => (command.name === ":" ? [[command.text, index] as const] : [])),
    );
  }

  async run(input: Input): Promise<void> {
    await this.#lines(input, async (text) => this.#context.out.print(text));
    await this.#context.out.flush();
  }

  async runToText(input: Input): Promise<string> {
    let all = "";
    this.#number = 0;
    await this.#lines(input, async (text) => {
      all += text;
    });
    return all;
  }

  async #lines(input: Input, write: (text: string) => Promise<void>): Promise<void> {
    this.#input = input;
    this.#number = 0;
    let steps = 0;
    let isRestart = false;
    while (isRestart || this.#number < input.lines.length) {
      if (!isRestart) this.#changed = false;
      if (!isRestart) this.#pattern = input.lines[this.#number++] ?? "";
      const outcome = await this.#cycle();
      isRestart = outcome === "restart";
      if (outcome !== "delete" && outcome !== "restart" && outcome !== "quiet" && !this.#silent)
        this.#put(this.#pattern);
      for (const text of this.#after.splice(0)) this.#output.push(text);
      await write(this.#output.splice(0).join(""));
      if (outcome === "quit" || outcome === "quiet") return;
      if (++steps % 256 === 0) await this.#context.sys.work(256 * stepFuel);
    }
  }

  #put(text: string): void {
    const isLast = this.#number >= this.#input.lines.length && !this.#input.ended;
    this.#output.push(isLast ? text : `${text}\n`);
  }

  get #isLast(): boolean {
    return this.#number >= this.#input.lines.length;
  }

  async #cycle(): Promise<"print" | "delete" | "restart" | "quit" | "quiet"> {
    for (let at = 0; at < this.#commands.length; ) {
      const command = this.#commands[at++];
      if (command === undefined || command.name === "}" || command.name === ":") continue;
      if (this.#selects(command) === command.negated) {
        if (command.name === "{") at = command.end;
        continue;
      }
      const outcome = await this.#do(command);
      if (typeof outcome === "number") at = outcome;
      else if (outcome !== null) return outcome;
    }
    return "print";
  }

  #selects(command: Command): boolean {
    const [first, second] = command.addresses;
    if (first === undefined) return true;
    if (second === undefined) return this.#matches(first);
    if (command.active !== false) return this.#inRange(command, second);
    if (!this.#matches(first)) return false;
    command.active =
      second.kind === "more" ? this.#number + second.count : second.kind === "line" ? second.number : true;
    if (typeof command.active === "number" && command.active <= this.#number) command.active = false;
    if (second.kind === "last" && this.#isLast) command.active = false;
    return true;
  }

  #inRange(command: Command, second: Address): boolean {
    if (typeof command.active === "number") {
      if (this.#number >= command.active) {
        const isIn = this.#number === command.active;
        command.active = false;
        return isIn;
      }
      return true;
    }
    if (this.#matches(second)) command.active = false;
    return true;
  }

  #matches(address: Address): boolean {
    switch (address.kind) {
      case "line":
        return this.#number === address.number;
      case "last":
        return this.#isLast;
      case "step":
        return address.step === 0
          ? this.#number === address.first
          : this.#number >= address.first && (this.#number - address.first) % address.step === 0;
      case "regex": {
        const regex = address.regex ?? this.#lastRegex;
        if (regex === null) throw new Failure("no previous regexp");
        this.#lastRegex = regex;
        regex.lastIndex = 0;
        return regex.test(this.#pattern);
      }
      case "more":
        return false;
    }
  }

  async #do(command: Command): Promise<number | "delete" | "restart" | "quit" | "quiet" | null> {
    switch (command.name) {
      case "s":
        return this.#substitute(command);
      case "y":
        this.#pattern = Array.from(this.#pattern, (char) => command.map?.get(char) ?? char).join("");
        return null;
      case "d":
        return "delete";
      case "D": {
        const end = this.#pattern.indexOf("\n");
        if (end === -1) return "delete";
        this.#pattern = this.#pattern.slice(end + 1);
        return "restart";
      }
      case "a":
        this.#after.push(`${command.text}\n`);
        return null;
      case "i":
        this.#output.push(`${command.text}\n`);
        return null;
      case "c":
        if (command.addresses.length < 2 || command.active === false || command.negated)
          this.#output.push(`${command.text}\n`);
        return "delete";
      case "q":
      case "Q":
        this.code = command.text === "" ? 0 : Number(command.text);
        return command.name === "q" ? "quit" : "quiet";
      case "n":
      case "N":
        return this.#next(command.name);
      case "b":
        return this.#jump(command.text);
      case "t":
      case "T": {
        const jumps = this.#changed === (command.name === "t");
        this.#changed = false;
        return jumps ? this.#jump(command.text) : null;
      }
      case "r":
        this.#after.push(await this.#read(command.text));
        return null;
      case "w":
        await this.#write(command.text, `${this.#pattern}\n`);
        return null;
      default:
        return this.#simple(command);
    }
  }

  #simple({ name, text }: Command): null {
    const { length } = this.#pattern;
    const end = this.#pattern.indexOf("\n");
    if (name === "p") this.#put(this.#pattern);
    else if (name === "P") this.#output.push(`${this.#pattern.slice(0, end === -1 ? length : end)}\n`);
    else if (name === "=") this.#output.push(`${this.#number}\n`);
    else if (name === "l") this.#output.push(`${visible(this.#pattern)}$\n`);
    else if (name === "g") this.#pattern = this.#hold;
    else if (name === "G") this.#pattern += `\n${this.#hold}`;
    else if (name === "h") this.#hold = this.#pattern;
    else if (name === "H") this.#hold += `\n${this.#pattern}`;
    else if (name === "x") [this.#pattern, this.#hold] = [this.#hold, this.#pattern];
    else if (name !== "{") throw new Failure(`unsupported command ${name}${text}`);
    return null;
  }

  #next(name: string): "quit" | "quiet" | null {
    if (this.#isLast) return name === "n" && this.#silent ? "quiet" : "quit";
    if (name === "n" && !this.#silent) this.#put(this.#pattern);
    for (const text of this.#after.splice(0)) this.#output.push(text);
    const line = this.#input.lines[this.#number++] ?? "";
    this.#pattern = name === "n" ? line : `${this.#pattern}\n${line}`;
    return null;
  }

  #jump(label: string): number {
    if (label === "") return this.#commands.length;
    const at = this.#labels.get(label);
    if (at === undefined) throw new Failure(`can't find label for jump to '${label}'`);
    return at;
  }

  async #substitute({ substitution }: Command): Promise<null> {
    if (substitution === undefined) return null;
    const regex = substitution.regex ?? this.#lastRegex;
    if (regex === null) throw new Failure("no previous regexp");
    this.#lastRegex = regex;
    const global = regex.global ? regex : new RegExp(regex.source, `${regex.flags}g`);
    let count = 0;
    let isChanged = false;
    const result = this.#pattern.replace(global, (...found: unknown[]) => {
      const groups = found.filter((each): each is string | undefined => typeof each === "string" || each === undefined);
      count++;
      if (count < substitution.nth || (count > substitution.nth && !substitution.global)) return groups[0] ?? "";
      isChanged = true;
      return expand(substitution.replacement, groups);
    });
    if (!isChanged) return null;
    this.#pattern = result;
    this.#changed = true;
    if (substitution.prints) this.#put(this.#pattern);
    if (substitution.file !== null) await this.#write(substitution.file, `${this.#pattern}\n`);
    return null;
  }

  async #read(path: string): Promise<string> {
    try {
      return await readText(this.#context.sys, path);
    } catch (thrown) {
      if (thrown instanceof Errno) return "";
      throw thrown;
    }
  }

  async #write(path: string, text: string): Promise<void> {
    if (path === "/dev/stdout") return void this.#output.push(text);
    const { sys } = this.#context;
    let fd = this.#written.get(path);
    fd ??= await sys.open(path, { access: "write", create: true, truncate: true });
    this.#written.set(path, fd);
    await sys.write(fd, new TextEncoder().encode(text));
  }
}

function expand(replacement: readonly (string | number | Case)[], groups: readonly (string | undefined)[]): string {
  let result = "";
  let all = "";
  let next = "";
  for (const part of replacement) {
    if (typeof part === "object") {
      if (/[ul]/.test(part.change)) next = part.change;
      else all = part.change === "E" ? "" : part.change;
      continue;
    }
    let text = typeof part === "number" ? (groups[part] ?? "") : part;
    if (all !== "") text = all === "U" ? text.toUpperCase() : text.toLowerCase();
    if (next !== "" && text !== "") {
      text = (next === "u" ? text.charAt(0).toUpperCase() : text.charAt(0).toLowerCase()) + text.slice(1);
      next = "";
    }
    result += text;
  }
  return result;
}

const namedControls: Readonly<Record<string, string>> = {
  "\n": "\\n",
  "\t": "\\t",
  "\\": "\\\\",
  "\r": "\\r",
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\v": "\\v",
};

function visible(text: string): string {
  return Array.from(text, (char) => {
    const code = char.charCodeAt(0);
    return namedControls[char] ?? (code < 32 || code === 127 ? `\\${code.toString(8).padStart(3, "0")}` : char);
  }).join("");
}

export const programs = { sed };
