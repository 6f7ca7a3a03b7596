/** less and more: a text page by page at a terminal; elsewhere it is passed on as it is. */
import { allLines, applet, chunksOf, type Context, eachInput, isTerminal } from "../applet.ts";
import { parseOptions } from "../options.ts";

const escape = "\x1b";

const less = applet(async (context) => {
  const options = parseOptions(
    context.args.filter((arg) => !arg.startsWith("+")),
    { flags: "EFIMmNRSXXhsdfu", valued: "" },
  );
  const describe = (name: string, reason: string): string => `can't open '${name}': ${reason}`;
  if (!isTerminal(context.sys, 1)) {
    await eachInput(
      context,
      options.operands,
      async (fd) => {
        for await (const chunk of chunksOf(context.sys, fd)) await context.out.write(chunk);
      },
      describe,
    );
    return context.code;
  }
  const lines: string[] = [];
  await eachInput(
    context,
    options.operands,
    async (fd) => {
      for (const line of (await allLines(context.sys, fd)).lines) lines.push(line);
    },
    describe,
  );
  if (context.code !== 0 && lines.length === 0) return context.code;
  await browse(context, lines, options.has("N"));
  return 0;
});

/** Keys are read from the terminal itself: standard input may be the text. */
async function browse(context: Context, lines: readonly string[], numbered: boolean): Promise<void> {
  const { sys } = context;
  const keys = await sys.open("/dev/tty", { access: "both" });
  const before = sys.terminalMode(keys);
  sys.setTerminalMode(keys, { canonical: false, echo: false });
  try {
    await new Pager(context, keys, lines, numbered).run();
  } finally {
    sys.setTerminalMode(keys, before);
    sys.close(keys);
  }
}

class Pager {
  readonly #context: Context;
  readonly #keys: number;
  readonly #lines: readonly string[];
  readonly #numbered: boolean;
  #top = 0;
  #found = "";

  constructor(context: Context, keys: number, lines: readonly string[], numbered: boolean) {
    this.#context = context;
    this.#keys = keys;
    this.#lines = lines;
    this.#numbered = numbered;
  }

  async run(): Promise<void> {
    for (;;) {
      await this.#draw();
      const key = await this.#key();
      if (key === null || key === "q" || key === "Q") break;
      await this.#act(key);
    }
    await this.#put(`\r${escape}[K`);
  }

  get #rows(): number {
    return Math.max(1, this.#context.sys.terminalSize(this.#keys).rows - 1);
  }

  async #put(text: string): Promise<void> {
    this.#context.out.put(text);
    await this.#context.out.flush();
  }

  async #draw(): Promise<void> {
    const { columns } = this.#context.sys.terminalSize(this.#keys);
    const last = Math.max(0, this.#lines.length - this.#rows);
    this.#top = Math.min(Math.max(0, this.#top), last);
    const shown = this.#lines.slice(this.#top, this.#top + this.#rows).map((line, index) => {
      const text = this.#numbered ? `${String(this.#top + index + 1).padStart(7)} ${line}` : line;
      return text.replaceAll("\t", "        ").slice(0, columns);
    });
    while (shown.length < this.#rows) shown.push("~");
    const prompt = this.#top >= last ? `${escape}[7m(END)${escape}[m` : ":";
    await this.#put(`${escape}[H${escape}[J${shown.join("\n")}\n${prompt}`);
  }

  async #key(): Promise<string | null> {
    const bytes = await this.#context.sys.read(this.#keys, 1);
    if (bytes.length === 0) return null;
    const char = String.fromCharCode(bytes[0] ?? 0);
    if (char !== escape) return char;
    await this.#context.sys.read(this.#keys, 1);
    const [letter = 0] = await this.#context.sys.read(this.#keys, 1);
    return { A: "k", B: "j", "5": "b", "6": " ", H: "g", F: "G" }[String.fromCharCode(letter)] ?? "";
  }

  async #act(key: string): Promise<void> {
    const moves: Readonly<Record<string, number>> = {
      " ": this.#rows,
      f: this.#rows,
      b: -this.#rows,
      j: 1,
      "\n": 1,
      "\r": 1,
      k: -1,
      d: this.#rows / 2,
      u: -this.#rows / 2,
      g: -Infinity,
      G: Infinity,
    };
    if (key === "/") {
      await this.#put("\r/");
      this.#found = await this.#word();
    }
    if (key === "/" || key === "n") this.#search();
    const move = moves[key];
    if (move === -Infinity) this.#top = 0;
    else if (move === Infinity) this.#top = this.#lines.length;
    else if (move !== undefined) this.#top += Math.trunc(move);
  }

  async #word(): Promise<string> {
    let text = "";
    for (let key = await this.#key(); key !== null && key !== "\n" && key !== "\r"; key = await this.#key()) {
      text = key === "\x7f" ? text.slice(0, -1) : text + key;
      await this.#put(`\r${escape}[K/${text}`);
    }
    return text;
  }

  #search(): void {
    const at = this.#lines.findIndex((line, index) => index > this.#top && line.includes(this.#found));
    if (at !== -1) this.#top = at;
  }
}

export const programs = { less, more: less };
