/** Asking a person at the terminal: a line, or one that is not shown. */
import { decodeBytes } from "../core/base/bytes.ts";
import { CliError } from "./errors.ts";
import type { Terminal } from "./ports.ts";

const interrupt = "\u0003";
const endOfInput = "\u0004";
const lineEnds = ["\r", "\n", interrupt, endOfInput];

export class Prompt {
  readonly #terminal: Terminal;
  readonly #input: AsyncIterator<Uint8Array>;
  #held = "";

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    this.#input = terminal.stdin[Symbol.asyncIterator]();
  }

  async line(question: string): Promise<string> {
    await this.#terminal.stdout(question);
    return this.#read();
  }

  /** What is typed does not appear; the keys that edit a line work all the same. */
  async secret(question: string): Promise<string> {
    await this.#terminal.stdout(question);
    const restore = this.#terminal.raw();
    try {
      return edited(await this.#read());
    } finally {
      restore();
      await this.#terminal.stdout("\n");
    }
  }

  async #read(): Promise<string> {
    for (;;) {
      const ends = lineEnds.map((char) => this.#held.indexOf(char)).filter((at) => at >= 0);
      if (ends.length > 0) {
        const end = Math.min(...ends);
        const line = this.#held.slice(0, end);
        const key = this.#held[end];
        // A terminal that is not raw, or a pipe from elsewhere, may end its lines with two characters.
        this.#held = this.#held.slice(end + (this.#held.startsWith("\r\n", end) ? 2 : 1));
        if (key === interrupt || (key === endOfInput && line === "")) throw new CliError("interrupted", 130);
        return line;
      }
      const next = await this.#input.next();
      if (next.done === true) throw new CliError("Error: EOF");
      this.#held += decodeBytes(next.value);
    }
  }
}

/** Backspace takes the last character, ^U all of them. */
function edited(typed: string): string {
  let line = "";
  for (const char of typed) {
    if (char === "\x7f" || char === "\b") line = line.slice(0, -1);
    else if (char === "\x15") line = "";
    else line += char;
  }
  return line;
}
