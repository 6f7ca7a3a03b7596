/**
 * The line editor of an interactive shell: a line is edited in raw mode and redrawn from the kernel's
 * point of view as plain output. It owns no key but those below, and ^C.
 *
 *   ←→ ^B ^F  Home End ^A ^E  Backspace Del ^D  ^K ^U ^W  ↑↓ ^P ^N  ^R search  Tab complete  ^L clear
 */
import { decodeBytes, encodeText } from "../../../../core/base/bytes.ts";
import { Errno } from "../../../../core/base/errno.ts";
import type { Fd, Sys } from "../../kernel/sys.ts";

export interface Completion {
  /** Where the completed word begins. */
  readonly from: number;
  /** Whole words that could stand there. */
  readonly words: readonly string[];
}

export interface EditorPorts {
  readonly sys: Sys;
  readonly input: Fd;
  readonly output: Fd;
  /** The oldest first. */
  readonly history: readonly string[];
  readonly complete: (before: string) => Promise<Completion>;
}

export type Edited =
  | { readonly kind: "line"; readonly text: string }
  | { readonly kind: "end" }
  | { readonly kind: "interrupted" };

const escape = "\x1b";
const named: Readonly<Record<string, string>> = {
  "[A": "up",
  "[B": "down",
  "[C": "right",
  "[D": "left",
  "[H": "home",
  "[F": "end",
  OA: "up",
  OB: "down",
  OC: "right",
  OD: "left",
  OH: "home",
  OF: "end",
  "[1~": "home",
  "[7~": "home",
  "[4~": "end",
  "[8~": "end",
  "[3~": "delete",
  "[1;5C": "word-right",
  "[1;5D": "word-left",
  b: "word-left",
  f: "word-right",
  d: "delete-word",
  "\x7f": "erase-word",
  "\x01": "home",
  "\x02": "left",
  "\x04": "delete-or-end",
  "\x05": "end",
  "\x06": "right",
  "\x08": "erase",
  "\x09": "complete",
  "\x0a": "enter",
  "\x0b": "kill",
  "\x0c": "clear",
  "\x0d": "enter",
  "\x0e": "down",
  "\x10": "up",
  "\x12": "search",
  "\x15": "kill-before",
  "\x17": "erase-word",
};
/** As busybox tells words: at blanks and ASCII's punctuation but "_". */
function isWordChar(char: string | undefined): boolean {
  return char !== undefined && !/[ !-/:-@[-^`{-~]/.test(char);
}

function isNoBlank(char: string | undefined): boolean {
  return char !== " ";
}

/** ^C: no signal while a line is edited, so that it comes in its turn. */
const interrupt = "\x03";
const plainErase = "\x7f";

export class LineEditor {
  readonly #ports: EditorPorts;
  readonly #prompt: string;
  #chars: string[] = [];
  #cursor = 0;
  /** The row of the screen, from the prompt's, that the cursor is in. */
  #row = 0;
  /** Which line of history is shown; the length: the new one. */
  #place: number;
  #draft = "";
  #tabs = 0;

  constructor(ports: EditorPorts, prompt: string) {
    this.#ports = ports;
    this.#prompt = prompt;
    this.#place = ports.history.length;
  }

  /** One line. The terminal's mode is what it was before when this returns. */
  async edit(): Promise<Edited> {
    const { sys, input } = this.#ports;
    const before = sys.terminalMode(input);
    sys.setTerminalMode(input, { canonical: false, echo: false, signals: false });
    try {
      await this.#draw();
      return await this.#loop();
    } catch (thrown) {
      if (!(thrown instanceof Errno) || thrown.errno !== "EINTR") throw thrown;
      await this.#write("^C\n");
      return { kind: "interrupted" };
    } finally {
      sys.setTerminalMode(input, before);
    }
  }

  async #loop(): Promise<Edited> {
    for (;;) {
      const key = await this.#key();
      if (key === null) return { kind: "end" };
      if (key !== "complete") this.#tabs = 0;
      if (key === "enter") return this.#enter();
      if (key === "delete-or-end" && this.#chars.length === 0) return { kind: "end" };
      await this.#act(key);
    }
  }

  async #enter(): Promise<Edited> {
    this.#cursor = this.#chars.length;
    await this.#draw();
    await this.#write("\n");
    return { kind: "line", text: this.#chars.join("") };
  }

  /** A key's name, or a character that is meant as itself; null at the end of input. */
  async #key(): Promise<string | null> {
    const char = await this.#char();
    if (char === null) return null;
    if (char === interrupt) throw new Errno("EINTR");
    if (char === plainErase) return "erase";
    if (char !== escape) return char >= " " ? char : (named[char] ?? "none");
    let sequence = (await this.#char()) ?? "";
    if (sequence === "[" || sequence === "O") {
      do sequence += (await this.#char()) ?? "~";
      while (!/[A-Za-z~]$/.test(sequence.slice(1)));
    }
    return named[sequence] ?? "none";
  }

  async #char(): Promise<string | null> {
    const { sys, input } = this.#ports;
    const first = await sys.read(input, 1);
    const lead = first[0];
    if (lead === undefined) return null;
    const bytes = [lead];
    for (let left = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0; left > 0; left--)
      bytes.push(...(await sys.read(input, 1)));
    return decodeBytes(Uint8Array.from(bytes));
  }

  async #act(key: string): Promise<void> {
    switch (key) {
      case "none":
        return;
      case "complete":
        return this.#complete();
      case "search":
        return this.#search();
      case "clear":
        this.#row = 0;
        await this.#write(`${escape}[H${escape}[J`);
        break;
      case "up":
        this.#recall(this.#place - 1);
        break;
      case "down":
        this.#recall(this.#place + 1);
        break;
      default:
        if (Array.from(key).length === 1) this.#insert(key);
        else this.#change(key);
    }
    await this.#draw();
  }

  #insert(text: string): void {
    const chars = Array.from(text);
    this.#chars.splice(this.#cursor, 0, ...chars);
    this.#cursor += chars.length;
  }

  #change(key: string): void {
    const length = this.#chars.length;
    switch (key) {
      case "left":
        this.#cursor = Math.max(0, this.#cursor - 1);
        return;
      case "right":
        this.#cursor = Math.min(length, this.#cursor + 1);
        return;
      case "home":
        this.#cursor = 0;
        return;
      case "end":
        this.#cursor = length;
        return;
      case "word-left":
        this.#cursor = this.#wordStart();
        return;
      case "word-right":
        this.#cursor = this.#wordEnd();
        return;
      case "erase":
        if (this.#cursor > 0) this.#chars.splice(--this.#cursor, 1);
        return;
      case "delete":
      case "delete-or-end":
        this.#chars.splice(this.#cursor, 1);
        return;
      case "erase-word":
        return this.#kill(this.#wordStart(isNoBlank), this.#cursor);
      case "delete-word":
        return this.#kill(this.#cursor, this.#wordEnd());
      case "kill":
        return this.#kill(this.#cursor, length);
      case "kill-before":
        return this.#kill(0, this.#cursor);
    }
  }

  #kill(from: number, to: number): void {
    this.#chars.splice(from, to - from);
    this.#cursor = from;
  }

  /** Where a word begins: of letters and digits, or for ^W of what is no blank. */
  #wordStart(isPart = isWordChar): number {
    let at = this.#cursor;
    while (at > 0 && !isPart(this.#chars[at - 1])) at--;
    while (at > 0 && isPart(this.#chars[at - 1])) at--;
    return at;
  }

  #wordEnd(): number {
    let at = this.#cursor;
    while (at < this.#chars.length && !isWordChar(this.#chars[at])) at++;
    while (at < this.#chars.length && isWordChar(this.#chars[at])) at++;
    return at;
  }

  #recall(place: number): void {
    const { history } = this.#ports;
    if (place < 0 || place > history.length) return;
    if (this.#place === history.length) this.#draft = this.#chars.join("");
    this.#place = place;
    this.#set(history[place] ?? this.#draft);
  }

  #set(text: string): void {
    this.#chars = Array.from(text);
    this.#cursor = this.#chars.length;
  }

  // Completion

  async #complete(): Promise<void> {
    this.#tabs++;
    const before = this.#chars.slice(0, this.#cursor).join("");
    const { from, words } = await this.#ports.complete(before);
    const typed = before.slice(from);
    const common = commonPrefix(words);
    if (words.length > 1 && common.length <= typed.length) {
      if (this.#tabs > 1) await this.#list(words);
      return;
    }
    const [only] = words;
    if (only === undefined) return;
    const ending = words.length === 1 && !only.endsWith("/") ? " " : "";
    this.#insert(common.slice(typed.length) + ending);
    await this.#draw();
  }

  async #list(words: readonly string[]): Promise<void> {
    const { columns } = this.#ports.sys.terminalSize(this.#ports.output);
    const names = words.map((word) => /([^/]+\/?)$/.exec(word)?.[1] ?? word);
    await this.#write(`\n${inColumns(names, columns)}`);
    this.#row = 0;
    await this.#draw();
  }

  // Search

  async #search(): Promise<void> {
    let wanted = "";
    for (;;) {
      const found = this.#ports.history.findLast((line) => line.includes(wanted)) ?? "";
      await this.#drawText(`(reverse-i-search)\`${wanted}': `, Array.from(found), found.length);
      const key = await this.#key();
      if (key === "erase") wanted = Array.from(wanted).slice(0, -1).join("");
      else if (key !== null && Array.from(key).length === 1) wanted += key;
      else {
        this.#set(found);
        await this.#draw();
        return;
      }
    }
  }

  // The screen

  #draw(): Promise<void> {
    return this.#drawText(this.#prompt, this.#chars, this.#cursor);
  }

  /** Draws over what is there, from the prompt's first column on. */
  async #drawText(prompt: string, chars: readonly string[], cursor: number): Promise<void> {
    const columns = Math.max(1, this.#ports.sys.terminalSize(this.#ports.output).columns);
    const promptWidth = widthOf(prompt);
    const end = promptWidth + chars.length;
    const at = promptWidth + cursor;
    const up = this.#row > 0 ? `${escape}[${this.#row}A` : "";
    // A full last column wraps only with the next character.
    const wrap = end > 0 && end % columns === 0 ? " \r" : "";
    const back = Math.floor(end / columns) - Math.floor(at / columns);
    const down = `${back > 0 ? `${escape}[${back}A` : ""}\r${at % columns > 0 ? `${escape}[${at % columns}C` : ""}`;
    this.#row = Math.floor(at / columns);
    await this.#write(`\r${up}${escape}[J${prompt}${chars.join("")}${wrap}${down}`);
  }

  async #write(text: string): Promise<void> {
    await this.#ports.sys.write(this.#ports.output, encodeText(text));
  }
}

/** Columns a prompt takes: escape sequences take none, and only its last line counts. */
function widthOf(prompt: string): number {
  // eslint-disable-next-line no-control-regex
  const visible = prompt.replace(/\x1b\[[0-9;]*[A-Za-z]/g, "");
  return Array.from(visible.slice(visible.lastIndexOf("\n") + 1)).length;
}

function commonPrefix(words: readonly string[]): string {
  const [first = "", ...rest] = words;
  let length = first.length;
  for (const word of rest) {
    let same = 0;
    while (same < length && word[same] === first[same]) same++;
    length = same;
  }
  return first.slice(0, length);
}

function inColumns(names: readonly string[], columns: number): string {
  const width = Math.max(...names.map(({ length }) => length)) + 2;
  const across = Math.max(1, Math.floor(columns / width));
  const rows = Math.ceil(names.length / across);
  const lines = Array.from({ length: rows }, (_, row) =>
    Array.from({ length: across }, (_each, column) => (names[column * rows + row] ?? "").padEnd(width))
      .join("")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}
