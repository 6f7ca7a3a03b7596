/**
 * vi: a small screen editor. Normal, insert and command-line mode; the usual motions (h j k l w b 0 ^ $
 * gg G), i a o O A I, x dd dw D yy p P J r u, / n, and :w :q :wq :q! :x :N.
 */
import { decodeBytes, encodeText } from "../../../../core/base/bytes.ts";
import { Errno, errnoText } from "../../../../core/base/errno.ts";
import { applet, type Context, Failure, isTerminal, readText } from "../applet.ts";
import { type LineCommand, lineCommandOf } from "./vi-lines.ts";

const escape = "\x1b";
const undoMax = 200;

const vi = applet(async (context) => {
  const { sys } = context;
  if (!isTerminal(sys, 0) || !isTerminal(sys, 1))
    throw new Failure("can't edit without a terminal on standard input and output");
  const [name] = context.args.filter((arg) => !/^[-+]/.test(arg));
  const { lines, message } = await load(context, name);
  const before = sys.terminalMode(0);
  sys.setTerminalMode(0, { canonical: false, echo: false, signals: false });
  try {
    await new Editor(context, name ?? null, lines, message).run();
  } finally {
    sys.setTerminalMode(0, before);
  }
  return 0;
});

async function load(context: Context, name: string | undefined): Promise<{ lines: string[]; message: string }> {
  if (name === undefined) return { lines: [""], message: "" };
  try {
    const text = await readText(context.sys, name);
    const lines = text.replace(/\n$/, "").split("\n");
    return { lines, message: `'${name}' ${lines.length} lines, ${text.length} bytes` };
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    if (thrown.errno === "ENOENT") return { lines: [""], message: `'${name}' [New file]` };
    throw new Failure(`'${name}' ${errnoText(thrown.errno)}`);
  }
}

type Mode = "normal" | "insert" | "command" | "search";

class Editor {
  readonly #context: Context;
  #name: string | null;
  #lines: string[];
  #message: string;
  #mode: Mode = "normal";
  #row = 0;
  #column = 0;
  #top = 0;
  /** A key that waits for another: d, y, g, r, c. */
  #pending = "";
  #count = "";
  #entry = "";
  #cut: { lines: readonly string[]; whole: boolean } = { lines: [], whole: true };
  #undo: { lines: readonly string[]; row: number; column: number }[] = [];
  #found = "";
  #changed = false;
  #done = false;

  constructor(context: Context, name: string | null, lines: string[], message: string) {
    this.#context = context;
    this.#name = name;
    this.#lines = lines;
    this.#message = message;
  }

  async run(): Promise<void> {
    while (!this.#done) {
      await this.#draw();
      const key = await this.#key();
      if (key === null) break;
      this.#message = "";
      await this.#press(key);
    }
    const { rows } = this.#context.sys.terminalSize(1);
    await this.#put(`${escape}[${rows};1H${escape}[K`);
  }

  async #put(text: string): Promise<void> {
    await this.#context.sys.write(1, encodeText(text));
  }

  // The screen

  async #draw(): Promise<void> {
    const { rows, columns } = this.#context.sys.terminalSize(1);
    const height = Math.max(1, rows - 1);
    if (this.#row < this.#top) this.#top = this.#row;
    if (this.#row >= this.#top + height) this.#top = this.#row - height + 1;
    const shown = Array.from({ length: height }, (_, index) =>
      (this.#lines[this.#top + index] ?? "~").replaceAll("\t", " ").slice(0, columns),
    );
    const body = shown.map((line) => `${line}${escape}[K`).join("\r\n");
    const at = `${escape}[${this.#row - this.#top + 1};${Math.min(this.#column, columns - 1) + 1}H`;
    const isEntry = this.#mode === "command" || this.#mode === "search";
    await this.#put(`${escape}[H${body}\r\n${this.#status()}${escape}[K${isEntry ? "" : at}`);
  }

  #status(): string {
    if (this.#mode === "command") return `:${this.#entry}`;
    if (this.#mode === "search") return `/${this.#entry}`;
    if (this.#message !== "") return this.#message;
    const mode = this.#mode === "insert" ? "I" : "-";
    return `${mode} ${this.#name ?? "No file"}${this.#changed ? " [Modified]" : ""} ${this.#row + 1}/${this.#lines.length}`;
  }

  // Keys

  async #key(): Promise<string | null> {
    const { sys } = this.#context;
    const [lead] = await sys.read(0, 1);
    if (lead === undefined) return null;
    if (lead !== 0x1b) return this.#whole(lead);
    const ready = await sys.poll([{ fd: 0, read: true, write: false }], 50_000_000n);
    if (ready.length === 0) return escape;
    const [second = 0] = await sys.read(0, 1);
    if (second !== 0x5b && second !== 0x4f) return escape;
    const [third = 0] = await sys.read(0, 1);
    const letter = String.fromCharCode(third);
    if (/\d/.test(letter)) await sys.read(0, 1);
    return (
      {
        A: "up",
        B: "down",
        C: "right",
        D: "left",
        H: "home",
        F: "end",
        "3": "delete",
        "5": "page-up",
        "6": "page-down",
      }[letter] ?? "none"
    );
  }

  async #whole(lead: number): Promise<string> {
    const bytes = [lead];
    for (let left = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0; left > 0; left--)
      bytes.push(...(await this.#context.sys.read(0, 1)));
    return decodeBytes(Uint8Array.from(bytes));
  }

  async #press(key: string): Promise<void> {
    if (this.#mode === "insert") this.#insert(key);
    else if (this.#mode === "normal" && this.#pending === "Z") await this.#leave(key);
    else if (this.#mode === "normal") this.#normal(key);
    else await this.#type(key);
    this.#clamp();
  }

  /** "ZZ" writes what has changed, "ZQ" does not. */
  async #leave(key: string): Promise<void> {
    this.#pending = "";
    if (key === "Q" || (key === "Z" && !this.#changed)) this.#done = true;
    else if (key === "Z") await this.#command("wq");
  }

  get #line(): string {
    return this.#lines[this.#row] ?? "";
  }

  #setLine(text: string): void {
    this.#lines[this.#row] = text;
    this.#changed = true;
  }

  #clamp(): void {
    this.#row = Math.min(Math.max(0, this.#row), this.#lines.length - 1);
    const last = this.#mode === "insert" ? this.#line.length : Math.max(0, this.#line.length - 1);
    this.#column = Math.min(Math.max(0, this.#column), last);
  }

  #remember(): void {
    this.#undo.push({ lines: [...this.#lines], row: this.#row, column: this.#column });
    if (this.#undo.length > undoMax) this.#undo.shift();
  }

  #insert(key: string): void {
    if (key === escape) {
      this.#mode = "normal";
      this.#column--;
    } else if (this.#move(key, 1)) return;
    else if (key === "\r" || key === "\n") {
      const rest = this.#line.slice(this.#column);
      this.#setLine(this.#line.slice(0, this.#column));
      this.#lines.splice(++this.#row, 0, rest);
      this.#column = 0;
    } else if (key === "\x7f" || key === "\b") this.#backspace();
    else if (key === "delete") this.#setLine(this.#line.slice(0, this.#column) + this.#line.slice(this.#column + 1));
    else if (key >= " " || key === "\t") {
      this.#setLine(this.#line.slice(0, this.#column) + key + this.#line.slice(this.#column));
      this.#column += key.length;
    }
  }

  #backspace(): void {
    if (this.#column > 0) {
      this.#setLine(this.#line.slice(0, this.#column - 1) + this.#line.slice(this.#column));
      this.#column--;
    } else if (this.#row > 0) {
      const rest = this.#line;
      this.#lines.splice(this.#row--, 1);
      this.#column = this.#line.length;
      this.#setLine(this.#line + rest);
    }
  }

  /** A motion; false when the key is none. */
  #move(key: string, count: number): boolean {
    const { rows } = this.#context.sys.terminalSize(1);
    switch (key) {
      case "up":
        this.#row -= count;
        return true;
      case "down":
        this.#row += count;
        return true;
      case "left":
        this.#column -= count;
        return true;
      case "right":
        this.#column += count;
        return true;
      case "home":
        this.#column = 0;
        return true;
      case "end":
        this.#column = this.#line.length;
        return true;
      case "page-up":
        this.#row -= rows - 2;
        return true;
      case "page-down":
        this.#row += rows - 2;
        return true;
      default:
        return false;
    }
  }

  #normal(key: string): void {
    if (/^[1-9]$/.test(key) || (key === "0" && this.#count !== "")) {
      this.#count += key;
      return;
    }
    const count = this.#count === "" ? 1 : Number(this.#count);
    const isCounted = this.#count !== "";
    if (this.#pending !== "") this.#second(this.#pending + key, count);
    else if ("dycgrZ".includes(key)) {
      this.#pending = key;
      return;
    } else this.#single(key, count, isCounted);
    this.#pending = "";
    this.#count = "";
  }

  #single(key: string, count: number, isCounted: boolean): void {
    const motion =
      {
        h: "left",
        j: "down",
        k: "up",
        l: "right",
        " ": "right",
        "0": "home",
        $: "end",
        "\x06": "page-down",
        "\x02": "page-up",
      }[key] ?? key;
    if (this.#move(motion, count)) return;
    if (key === "w") this.#forward(count);
    else if (key === "b") this.#back(count);
    else if (key === "^") this.#column = /\S/.exec(this.#line)?.index ?? 0;
    else if (key === "G") this.#row = isCounted ? count - 1 : this.#lines.length - 1;
    else if (key === ":" || key === "/") {
      this.#mode = key === ":" ? "command" : "search";
      this.#entry = "";
    } else if (key === "n") this.#search();
    else if (key === "u") this.#restore();
    else if (key === "~") this.#toggle(count);
    else this.#edit(key, count);
  }

  #edit(key: string, count: number): void {
    const line = this.#line;
    const before = this.#undo.length;
    this.#remember();
    if (key === "i" || key === "I" || key === "a" || key === "A") {
      this.#mode = "insert";
      this.#column =
        key === "I"
          ? (/\S/.exec(line)?.index ?? 0)
          : key === "A"
            ? line.length
            : this.#column + (key === "a" && line !== "" ? 1 : 0);
    } else if (key === "o" || key === "O") {
      this.#lines.splice(key === "o" ? ++this.#row : this.#row, 0, "");
      this.#mode = "insert";
      this.#changed = true;
    } else if (key === "x" || key === "delete") {
      this.#cut = { lines: [line.slice(this.#column, this.#column + count)], whole: false };
      this.#setLine(line.slice(0, this.#column) + line.slice(this.#column + count));
    } else if (key === "D" || key === "C") {
      this.#cut = { lines: [line.slice(this.#column)], whole: false };
      this.#setLine(line.slice(0, this.#column));
      if (key === "C") this.#mode = "insert";
    } else if (key === "J" && this.#row + 1 < this.#lines.length) {
      const next = this.#lines.splice(this.#row + 1, 1)[0] ?? "";
      this.#setLine(`${line} ${next.trimStart()}`);
    } else if (key === "p" || key === "P") this.#paste(key === "p");
    else this.#undo.length = before;
  }

  /** The letters' case, from here on. */
  #toggle(count: number): void {
    this.#remember();
    const end = Math.min(this.#line.length, this.#column + count);
    const changed = Array.from(this.#line.slice(this.#column, end), (char) =>
      char === char.toLowerCase() ? char.toUpperCase() : char.toLowerCase(),
    );
    this.#setLine(this.#line.slice(0, this.#column) + changed.join("") + this.#line.slice(end));
    this.#column = end;
  }

  #second(keys: string, count: number): void {
    if (keys === "gg") {
      this.#row = count - 1;
      return;
    }
    if (keys === "yy") {
      this.#cut = { lines: this.#lines.slice(this.#row, this.#row + count), whole: true };
      return;
    }
    this.#remember();
    if (keys === "dd" || keys === "cc") {
      this.#cut = { lines: this.#lines.splice(this.#row, count), whole: true };
      if (keys === "cc") this.#lines.splice(this.#row, 0, "");
      if (this.#lines.length === 0) this.#lines.push("");
      this.#changed = true;
    } else if (keys === "dw" || keys === "cw") {
      const rest = this.#line.slice(this.#column);
      const length = /^(?:\w+|[^\w\s]+)?\s*/.exec(rest)?.[0].length ?? 0;
      this.#setLine(this.#line.slice(0, this.#column) + rest.slice(length));
    } else if (keys === "d$") this.#setLine(this.#line.slice(0, this.#column));
    else if (keys.startsWith("r") && keys.length > 1)
      this.#setLine(this.#line.slice(0, this.#column) + keys.slice(1) + this.#line.slice(this.#column + 1));
    if (keys.startsWith("c")) this.#mode = "insert";
  }

  #forward(count: number): void {
    for (let left = count; left > 0; left--) {
      const length = /^(?:\w+|[^\w\s]+)?\s*/.exec(this.#line.slice(this.#column))?.[0].length ?? 0;
      this.#column += length;
      if (this.#column >= this.#line.length && this.#row + 1 < this.#lines.length) {
        this.#row++;
        this.#column = 0;
      }
    }
  }

  #back(count: number): void {
    for (let left = count; left > 0; left--) {
      if (this.#column === 0 && this.#row > 0) {
        this.#row--;
        this.#column = this.#line.length;
      }
      this.#column = /(?:\w+|[^\w\s]+)?\s*$/.exec(this.#line.slice(0, this.#column))?.index ?? 0;
    }
  }

  #paste(after: boolean): void {
    if (this.#cut.whole) {
      this.#lines.splice(this.#row + (after ? 1 : 0), 0, ...this.#cut.lines);
      if (after) this.#row++;
    } else {
      const at = this.#column + (after && this.#line !== "" ? 1 : 0);
      this.#setLine(this.#line.slice(0, at) + (this.#cut.lines[0] ?? "") + this.#line.slice(at));
    }
    this.#changed = true;
  }

  #restore(): void {
    const last = this.#undo.pop();
    if (last === undefined) return;
    this.#lines = [...last.lines];
    this.#row = last.row;
    this.#column = last.column;
  }

  // Command line and search

  async #type(key: string): Promise<void> {
    if (key === escape) this.#mode = "normal";
    else if (key === "\x7f" || key === "\b") {
      if (this.#entry === "") this.#mode = "normal";
      this.#entry = this.#entry.slice(0, -1);
    } else if (key === "\r" || key === "\n") {
      const mode = this.#mode;
      this.#mode = "normal";
      if (mode === "search") {
        this.#found = this.#entry;
        this.#search();
      } else await this.#command(this.#entry.trim());
    } else if (key >= " ") this.#entry += key;
  }

  #search(): void {
    for (let step = 1; step <= this.#lines.length; step++) {
      const row = (this.#row + step) % this.#lines.length;
      const column = (this.#lines[row] ?? "").indexOf(this.#found);
      if (column === -1) continue;
      this.#row = row;
      this.#column = column;
      return;
    }
    this.#message = "Pattern not found";
  }

  async #command(text: string): Promise<void> {
    const [, word = "", argument = ""] = /^(\w+!?)\s*(.*)$/.exec(text) ?? [];
    const lineCommand = lineCommandOf(text, this.#row, this.#lines.length);
    if (word === "q" && this.#changed) this.#message = "No write since last change (:q! overrides)";
    else if (word === "q" || word === "q!") this.#done = true;
    else if (/^(?:w|wq|x)!?$/.test(word)) {
      const isWritten = await this.#save(argument === "" ? this.#name : argument);
      if (isWritten && !/^w!?$/.test(word)) this.#done = true;
    } else if (word === "set" || text === "") return;
    else if (lineCommand === null) this.#message = `':${text}' is not an editor command`;
    else this.#onLines(lineCommand);
  }

  #onLines({ from, to, act }: LineCommand): void {
    if (act === null) {
      this.#row = to;
      return;
    }
    this.#remember();
    const some = this.#lines.slice(from, to + 1);
    this.#lines.splice(from, some.length, ...some.flatMap(act));
    if (this.#lines.length === 0) this.#lines.push("");
    this.#row = Math.min(from === to ? from : to, this.#lines.length - 1);
    this.#changed = true;
  }

  async #save(name: string | null): Promise<boolean> {
    if (name === null) {
      this.#message = "No current filename";
      return false;
    }
    const { sys } = this.#context;
    const text = this.#lines.map((line) => `${line}\n`).join("");
    try {
      const fd = await sys.open(name, { access: "write", create: true, truncate: true });
      await sys.write(fd, encodeText(text));
      sys.close(fd);
    } catch (thrown) {
      if (!(thrown instanceof Errno)) throw thrown;
      this.#message = `'${name}' ${errnoText(thrown.errno)}`;
      return false;
    }
    this.#name = name;
    this.#changed = false;
    this.#message = `'${name}' ${this.#lines.length}L, ${encodeText(text).length}C`;
    return true;
  }
}

export const programs = { vi };
