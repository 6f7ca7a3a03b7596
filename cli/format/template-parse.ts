/**
 * Go's text/template, the part that Docker's users write after --format: fields, pipelines,
 * functions, variables, if, with, range, else. This file makes a tree of the text.
 */
export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly pipe: Pipe }
  | {
      readonly kind: "branch";
      readonly word: "if" | "with" | "range";
      readonly pipe: Pipe;
      readonly body: Node[];
      readonly otherwise: Node[];
    };

export interface Pipe {
  /** Names without "$"; two only in `range $key, $value := …`. */
  readonly variables: readonly string[];
  readonly declares: boolean;
  readonly commands: readonly Call[];
}

/** A function with its arguments, or one value; `text` is how messages show it. */
export interface Call {
  readonly operands: readonly Operand[];
  readonly text: string;
}

/** `at` and `text` place an operand in messages. */
export type Operand = { readonly at: number; readonly text: string; readonly fields: readonly string[] } & (
  | { readonly kind: "dot" }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "function"; readonly name: string }
  | { readonly kind: "constant"; readonly value: unknown }
  | { readonly kind: "pipe"; readonly pipe: Pipe }
);

export class TemplateError extends Error {
  override readonly name = "TemplateError";
}

/** Throws TemplateError in Go's words. */
export function parseTemplate(source: string): Node[] {
  return new Parser(split(source)).list([]).nodes;
}

interface Piece {
  readonly text: string;
  /** Where the action's inside begins, null for literal text. */
  readonly at: number | null;
}

/** Text and actions; `{{-` and `-}}` trim the text beside them. */
function split(source: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  let trim = false;
  for (let open = source.indexOf("{{"); open >= 0; open = source.indexOf("{{", at)) {
    const before = source.slice(at, open);
    const inner = insideOf(source, open + 2);
    const left = inner.text.startsWith("- ");
    pieces.push({ text: trimmed(before, trim, left), at: null });
    trim = inner.text.endsWith(" -");
    const text = inner.text.replace(/^- /, "  ").replace(/ -$/, "");
    if (!/^\s*\/\*/.test(text)) pieces.push({ text, at: open + 2 });
    at = inner.end;
  }
  pieces.push({ text: trimmed(source.slice(at), trim, false), at: null });
  return pieces;
}

/** What stands before the closing braces; quoted text may hold braces. */
function insideOf(source: string, from: number): { text: string; end: number } {
  const pattern = /"(?:[^"\\\n]|\\.)*"|`[^`]*`|\}\}|[\s\S]/gy;
  pattern.lastIndex = from;
  for (let match = pattern.exec(source); match !== null; match = pattern.exec(source))
    if (match[0] === "}}") return { text: source.slice(from, match.index), end: pattern.lastIndex };
  throw new TemplateError("template: :1: unclosed action");
}

function trimmed(text: string, left: boolean, right: boolean): string {
  const start = left ? text.trimStart() : text;
  return right ? start.trimEnd() : start;
}

class Parser {
  readonly #pieces: readonly Piece[];
  #at = 0;

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces;
  }

  /** Nodes up to `{{end}}` or `{{else…}}`; at the top there must be none. */
  list(inside: readonly string[]): { nodes: Node[]; end: string; rest: Words | null } {
    const nodes: Node[] = [];
    for (let piece = this.#pieces[this.#at++]; piece !== undefined; piece = this.#pieces[this.#at++]) {
      if (piece.at === null) {
        if (piece.text !== "") nodes.push({ kind: "text", text: piece.text });
        continue;
      }
      const words = new Words(piece.text, piece.at);
      const word = words.keyword();
      if (word === "end" || word === "else") {
        if (!inside.includes(word)) throw new TemplateError(`template: :1: unexpected {{${word}}}`);
        return { nodes, end: word, rest: words };
      }
      nodes.push(word === null ? { kind: "action", pipe: words.pipe("command") } : this.#branch(word, words));
    }
    if (inside.length > 0) throw new TemplateError("template: :1: unexpected EOF");
    return { nodes, end: "", rest: null };
  }

  #branch(word: "if" | "with" | "range", words: Words): Node {
    const pipe = words.pipe(word);
    const body = this.list(["end", "else"]);
    return { kind: "branch", word, pipe, body: body.nodes, otherwise: this.#otherwise(body) };
  }

  #otherwise(body: { end: string; rest: Words | null }): Node[] {
    if (body.end !== "else" || body.rest === null) return [];
    const again = body.rest.keyword();
    if (again === "if" || again === "with") return [this.#branch(again, body.rest)];
    return this.list(["end"]).nodes;
  }
}

type Keyword = "if" | "with" | "range" | "end" | "else";

const tokenPattern =
  /\s*(?:(?<string>"(?:[^"\\]|\\.)*"|`[^`]*`)|(?<number>[-+]?\d+(?:\.\d+)?)|(?<field>\.[\p{L}_][\p{L}\p{N}_]*)|(?<variable>\$[\p{L}\p{N}_]*)|(?<word>[\p{L}_][\p{L}\p{N}_]*)|(?<sign>:=|[|(),.=]))/uy;

interface Token {
  readonly kind: "string" | "number" | "field" | "variable" | "word" | "sign";
  readonly text: string;
  readonly at: number;
  readonly spaced: boolean;
}

/** The words of one action. */
class Words {
  readonly #tokens: Token[] = [];
  #at = 0;

  constructor(text: string, offset: number) {
    let end = 0;
    while (text.slice(end).trim() !== "") {
      tokenPattern.lastIndex = end;
      const match = tokenPattern.exec(text);
      if (match === null)
        throw new TemplateError(`template: :1: unexpected ${JSON.stringify(text.slice(end).trim()[0])} in operand`);
      const [[kind = "sign", word = ""] = []] = Object.entries(match.groups ?? {}).filter(
        ([, each]) => each !== undefined,
      );
      const at = tokenPattern.lastIndex - word.length;
      this.#tokens.push({ kind: kind as Token["kind"], text: word, at: offset + at, spaced: at > end });
      end = tokenPattern.lastIndex;
    }
  }

  keyword(): Keyword | null {
    const text = this.#tokens[this.#at]?.text;
    if (text !== "if" && text !== "with" && text !== "range" && text !== "end" && text !== "else") return null;
    this.#at++;
    return text;
  }

  pipe(context: string): Pipe {
    const { variables, declares } = this.#declaration();
    const commands: Operand[][] = [[]];
    for (let token = this.#peek(); token !== undefined && token.text !== ")"; token = this.#peek()) {
      if (token.text === "|") {
        this.#at++;
        commands.push([]);
      } else commands.at(-1)?.push(this.#operand());
    }
    if (commands.some((each) => each.length === 0))
      throw new TemplateError(`template: :1: missing value for ${context}`);
    const calls = commands.map((operands) => ({ operands, text: operands.map(({ text }) => text).join(" ") }));
    return { variables, declares, commands: calls };
  }

  #declaration(): { variables: string[]; declares: boolean } {
    const [first, second, third, fourth] = this.#tokens.slice(this.#at);
    if (first?.kind !== "variable") return { variables: [], declares: false };
    const one = second?.text === ":=" || second?.text === "=";
    const two = second?.text === "," && third?.kind === "variable" && fourth?.text === ":=";
    if (!one && !two) return { variables: [], declares: false };
    this.#at += one ? 2 : 4;
    return { variables: one ? [first.text] : [first.text, third?.text ?? ""], declares: two || second?.text === ":=" };
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#at];
  }

  #operand(): Operand {
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw new TemplateError("template: :1: unexpected EOF");
    const chained = token.kind === "field" ? [token] : [];
    const inside = token.text === "(" ? this.#parenthesis() : null;
    for (let next = this.#peek(); next?.kind === "field" && !next.spaced; next = this.#peek()) {
      chained.push(next);
      this.#at++;
    }
    const open = this.#peek();
    if (open?.text === "(" && !open.spaced) throw new TemplateError('template: :1: unexpected "(" in operand');
    const fields = chained.map(({ text }) => text.slice(1));
    const text = (token.kind === "field" ? "" : token.text) + chained.map((each) => each.text).join("");
    // Go places a chain at its second part.
    const at = chained.length > 1 ? (chained[1]?.at ?? token.at) : token.at;
    const place = { at, text, fields };
    return inside === null ? { ...place, ...plain(token) } : { ...place, kind: "pipe", pipe: inside };
  }

  #parenthesis(): Pipe {
    const pipe = this.pipe("parenthesized pipeline");
    if (this.#tokens[this.#at++]?.text !== ")") throw new TemplateError("template: :1: unclosed left paren");
    return pipe;
  }
}

type Plain =
  | { kind: "dot" }
  | { kind: "variable"; name: string }
  | { kind: "function"; name: string }
  | { kind: "constant"; value: unknown };

const words: Readonly<Record<string, unknown>> = { true: true, false: false, nil: null };

function plain({ kind, text }: Token): Plain {
  if (kind === "field" || text === ".") return { kind: "dot" };
  if (kind === "variable") return { kind: "variable", name: text };
  if (kind === "number") return { kind: "constant", value: Number(text) };
  if (kind === "string") return { kind: "constant", value: text.startsWith("`") ? text.slice(1, -1) : unquote(text) };
  if (kind === "word")
    return Object.hasOwn(words, text) ? { kind: "constant", value: words[text] } : { kind: "function", name: text };
  throw new TemplateError(`template: :1: unexpected ${JSON.stringify(text)} in operand`);
}

const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", "\\": "\\", '"': '"', "'": "'" };

function unquote(text: string): string {
  return text.slice(1, -1).replace(/\\(.)/g, (_, letter: string) => escapes[letter] ?? letter);
}
