/** Runs a script over lines: the pattern space, the hold space, what is appended and written. */
import { encodeText } from "../../../../core/base/bytes.ts";
import { Errno } from "../../../../core/base/errno.ts";
import { type Context, Failure, readText } from "../applet.ts";
import type { Address, Case, Command } from "./script.ts";

export interface Input {
  readonly lines: string[];
  /** The very last line has its newline. */
  ended: boolean;
}

export interface EditorOptions {
  /** Nothing is printed but what the script prints. */
  readonly silent?: boolean;
  /** What ends a line. */
  readonly end?: string;
}

const stepFuel = 500;

export class Editor {
  readonly #context: Context;
  readonly #commands: readonly Command[];
  readonly #silent: boolean;
  readonly #end: string;
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
  #owesNewline = false;
  /** G and x put text of their own there: it ends with a newline. */
  #isJoined = false;
  #lastRegex: RegExp | null = null;
  #written = new Map<string, number>();

  constructor(context: Context, commands: readonly Command[], { silent = false, end = "\n" }: EditorOptions) {
    this.#context = context;
    this.#commands = commands;
    this.#silent = silent;
    this.#end = end;
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
      this.#isJoined = false;
      if (!isRestart) this.#pattern = input.lines[this.#number++] ?? "";
      const outcome = await this.#cycle();
      isRestart = outcome === "restart";
      if (outcome !== "delete" && outcome !== "restart" && outcome !== "quiet" && !this.#silent)
        this.#put(this.#pattern);
      for (const text of this.#after.splice(0)) this.#say(text);
      await write(this.#output.splice(0).join(""));
      if (outcome === "quit" || outcome === "quiet") return;
      if (++steps % 256 === 0) await this.#context.sys.work(256 * stepFuel);
    }
  }

  /** A line, with a newline when the input has one there. */
  #put(text: string): void {
    const isUnended = this.#number >= this.#input.lines.length && !this.#input.ended && !this.#isJoined;
    this.#say(isUnended ? text : text + this.#end);
  }

  /** What follows a line without its newline gives it one. */
  #say(text: string): void {
    if (text === "") return;
    this.#output.push(this.#owesNewline ? this.#end + text : text);
    this.#owesNewline = !text.endsWith(this.#end) && !text.endsWith("\n");
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
        this.#say(`${command.text}\n`);
        return null;
      case "c":
        if (command.addresses.length < 2 || command.active === false || command.negated) this.#say(`${command.text}\n`);
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
    if (name === "p") this.#say(this.#pattern + this.#end);
    else if (name === "P") this.#say(`${this.#pattern.slice(0, end === -1 ? length : end)}\n`);
    else if (name === "=") this.#say(`${this.#number}\n`);
    else if (name === "l") this.#say(`${visible(this.#pattern)}$\n`);
    else if (name === "g") this.#pattern = this.#hold;
    else if (name === "G") this.#join(`${this.#pattern}\n${this.#hold}`);
    else if (name === "h") this.#hold = this.#pattern;
    else if (name === "H") this.#hold += `\n${this.#pattern}`;
    else if (name === "x") {
      const held = this.#hold;
      this.#hold = this.#pattern;
      this.#join(held);
    } else if (name !== "{") throw new Failure(`unsupported command ${name}${text}`);
    return null;
  }

  #join(text: string): void {
    this.#pattern = text;
    this.#isJoined = true;
  }

  #next(name: string): "quit" | "quiet" | null {
    if (this.#isLast) return name === "n" && this.#silent ? "quiet" : "quit";
    if (name === "n" && !this.#silent) this.#put(this.#pattern);
    for (const text of this.#after.splice(0)) this.#say(text);
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
    let end = 0;
    const result = this.#pattern.replace(global, (...found: unknown[]) => {
      const groups = found.filter((each): each is string | undefined => typeof each === "string" || each === undefined);
      const at = Number(found.find((each) => typeof each === "number"));
      // Nothing right behind a match is none of its own.
      if (groups[0] === "" && at === end && count > 0) return "";
      end = at + (groups[0]?.length ?? 0);
      count++;
      if (count < substitution.nth || (count > substitution.nth && !substitution.global)) return groups[0] ?? "";
      isChanged = true;
      return expand(substitution.replacement, groups);
    });
    if (!isChanged) return null;
    this.#pattern = result;
    this.#changed = true;
    if (substitution.prints) this.#say(this.#pattern + this.#end);
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
    if (path === "/dev/stdout") return this.#say(text);
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
  return Array.from(encodeText(text), (code) => {
    const char = String.fromCharCode(code);
    return namedControls[char] ?? (code < 32 || code > 126 ? `\\${code.toString(8).padStart(3, "0")}` : char);
  }).join("");
}
