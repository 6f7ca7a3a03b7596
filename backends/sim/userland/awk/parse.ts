/** awk's grammar: from source text to a tree. */
import { Failure } from "../applet.ts";
import { unescape } from "../format.ts";
import { compileRegex } from "../regex.ts";
import { leading } from "./value.ts";
import type { AwkFunction, AwkProgram, Expression, Redirect, Rule, Statement, Target } from "./tree.ts";

interface Token {
  readonly kind:
    | "number"
    | "string"
    | "regex"
    | "name"
    | "call"
    | "builtin"
    | "keyword"
    | "operator"
    | "newline"
    | "end";
  readonly text: string;
  readonly line: number;
}

const keywords = new Set(
  "BEGIN END function func if else while for do break continue next nextfile exit return delete in getline print printf".split(
    " ",
  ),
);
const builtins = new Set(
  "length substr index split sub gsub match sprintf sin cos atan2 exp log sqrt int rand srand tolower toupper system close fflush and or xor lshift rshift compl strftime systime mktime".split(
    " ",
  ),
);
const operators = /^(?:&&|\|\||\+\+|--|\*\*=?|[-+*/%^<>=!]=|>>|!~|[-+*/%^!<>=?:~$(){}[\];,|&])/;
const escapes = { octalZero: "no", hexadecimal: true, escape: false, end: false } as const;

function problem(line: number, what: string): Failure {
  return new Failure(`cmd. line:${line}: ${what}`);
}

class Lexer {
  readonly #text: string;
  #at = 0;
  #line = 1;
  #previous: Token = { kind: "newline", text: "\n", line: 1 };

  constructor(text: string) {
    this.#text = text;
  }

  next(): Token {
    const token = this.#scan();
    this.#previous = token;
    return token;
  }

  #scan(): Token {
    this.#skip();
    const rest = this.#text.slice(this.#at);
    const line = this.#line;
    if (rest === "") return { kind: "end", text: "", line };
    if (rest.startsWith("\n")) return this.#take("newline", "\n");
    if (rest.startsWith('"')) return this.#string();
    if (rest.startsWith("/") && this.#regexMayStand()) return this.#regex();
    const number = /^(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)/.exec(rest)?.[0];
    if (number !== undefined) return this.#take("number", number);
    const name = /^[A-Za-z_]\w*/.exec(rest)?.[0];
    if (name !== undefined) return this.#name(name);
    const operator = operators.exec(rest)?.[0];
    if (operator === undefined) throw problem(line, "Unexpected token");
    return this.#take("operator", operator);
  }

  #take(kind: Token["kind"], text: string): Token {
    const token = { kind, text, line: this.#line };
    this.#at += text.length;
    if (text === "\n") this.#line++;
    return token;
  }

  #skip(): void {
    for (;;) {
      const blank = /^(?:[ \t\r]+|\\\r?\n|#[^\n]*)/.exec(this.#text.slice(this.#at, this.#at + 4096))?.[0];
      if (blank === undefined) return;
      if (blank.startsWith("\\")) this.#line++;
      this.#at += blank.length;
    }
  }

  #name(name: string): Token {
    if (keywords.has(name)) return this.#take("keyword", name);
    if (builtins.has(name)) return this.#take("builtin", name);
    return this.#take(this.#text[this.#at + name.length] === "(" ? "call" : "name", name);
  }

  /** After an operand "/" divides. */
  #regexMayStand(): boolean {
    const { kind, text } = this.#previous;
    if (kind === "number" || kind === "string" || kind === "name" || kind === "regex" || kind === "builtin")
      return false;
    return !(kind === "operator" && /^(?:\)|\]|\$|\+\+|--)$/.test(text));
  }

  #string(): Token {
    const match = /^"((?:[^"\\\n]|\\[^])*)"/.exec(this.#text.slice(this.#at));
    if (match === null) throw problem(this.#line, "Unexpected token");
    const token = {
      kind: "string" as const,
      text: unescape((match[1] ?? "").replace(/\\\n/g, "").replace(/\\(["/])/g, "$1"), escapes).text,
      line: this.#line,
    };
    this.#at += match[0].length;
    return token;
  }

  #regex(): Token {
    const match = /^\/((?:[^/\\\n[]|\\.|\[\^?\]?[^\]\n]*\])*)\//.exec(this.#text.slice(this.#at));
    if (match === null) throw problem(this.#line, "Unexpected token");
    this.#at += match[0].length;
    return { kind: "regex", text: (match[1] ?? "").replace(/\\\//g, "/"), line: this.#line };
  }
}

export function parseAwk(text: string): AwkProgram {
  return new Parser(text).program();
}

const assignments = new Set(["=", "+=", "-=", "*=", "/=", "%=", "^=", "**="]);
const comparisons = new Set(["<", "<=", "==", "!=", ">", ">="]);

class Parser {
  readonly #tokens: Token[] = [];
  #at = 0;
  /** Within print's arguments ">" redirects; within a for's head "in" is the loop's. */
  #noGreater = false;
  #noIn = false;

  constructor(text: string) {
    const lexer = new Lexer(text);
    for (;;) {
      const token = lexer.next();
      this.#tokens.push(token);
      if (token.kind === "end") break;
    }
  }

  get #token(): Token {
    return this.#tokens[this.#at] ?? { kind: "end", text: "", line: 0 };
  }

  #is(text: string): boolean {
    const { kind } = this.#token;
    return this.#token.text === text && (kind === "operator" || kind === "keyword" || kind === "newline");
  }

  #take(text: string): boolean {
    if (!this.#is(text)) return false;
    this.#at++;
    return true;
  }

  #expect(text: string): void {
    if (!this.#take(text)) throw problem(this.#token.line, "Unexpected token");
  }

  #newlines(): void {
    while (this.#token.kind === "newline") this.#at++;
  }

  #ends(): void {
    while (this.#token.kind === "newline" || this.#is(";")) this.#at++;
  }

  program(): AwkProgram {
    const rules: Rule[] = [];
    const functions = new Map<string, AwkFunction>();
    this.#newlines();
    if (this.#is(";")) throw problem(this.#token.line, "Unexpected token");
    for (; this.#token.kind !== "end"; this.#ends()) {
      if (this.#take("function") || this.#take("func")) this.#function(functions);
      else rules.push(this.#rule());
    }
    return { rules, functions };
  }

  #function(functions: Map<string, AwkFunction>): void {
    const { text } = this.#token;
    this.#at++;
    this.#expect("(");
    const parameters: string[] = [];
    while (!this.#take(")")) {
      parameters.push(this.#token.text);
      this.#at++;
      this.#take(",");
    }
    this.#newlines();
    functions.set(text, { parameters, body: this.#block() });
  }

  #rule(): Rule {
    if (this.#take("BEGIN")) return { when: "begin", body: this.#block() };
    if (this.#take("END")) return { when: "end", body: this.#block() };
    if (this.#is("{")) return { when: "always", body: this.#block() };
    const first = this.#expression();
    let last: Expression | null = null;
    if (this.#take(",")) {
      this.#newlines();
      last = this.#expression();
    }
    return { when: { first, last }, body: this.#is("{") ? this.#block() : null };
  }

  #block(): Statement {
    this.#newlines();
    this.#expect("{");
    const body: Statement[] = [];
    for (this.#ends(); !this.#take("}"); this.#ends()) body.push(this.#statement());
    return { kind: "block", body };
  }

  #statement(): Statement {
    this.#newlines();
    if (this.#is("{")) return this.#block();
    if (this.#take(";")) return { kind: "block", body: [] };
    const { text, kind } = this.#token;
    if (kind === "keyword") {
      if (text === "if") return this.#if();
      if (text === "while") return this.#while();
      if (text === "do") return this.#do();
      if (text === "for") return this.#for();
    }
    const statement = this.#simple();
    if (!this.#is("}") && this.#token.kind !== "end" && !this.#take(";")) {
      if (this.#token.kind !== "newline") throw problem(this.#token.line, "Unexpected token");
      this.#at++;
    }
    return statement;
  }

  #simple(): Statement {
    const { text, kind } = this.#token;
    if (kind !== "keyword" || text === "getline") return { kind: "expression", value: this.#expression() };
    switch (text) {
      case "print":
      case "printf":
        return this.#print(text === "printf");
      case "delete":
        return this.#delete();
      case "break":
      case "continue":
      case "next":
      case "nextfile":
        this.#at++;
        return { kind: "leave", how: text };
      case "exit":
      case "return":
        this.#at++;
        return { kind: text, value: this.#endsHere() ? null : this.#expression() };
      default:
        throw problem(this.#token.line, "Unexpected token");
    }
  }

  #endsHere(): boolean {
    return this.#is(";") || this.#is("}") || this.#token.kind === "newline" || this.#token.kind === "end";
  }

  #print(formatted: boolean): Statement {
    this.#at++;
    this.#noGreater = true;
    const args = this.#endsHere() || this.#is(">") || this.#is("|") ? [] : this.#list();
    this.#noGreater = false;
    const [only] = args;
    const parts = args.length === 1 && only?.kind === "group" && only.parts.length > 1 ? only.parts : args;
    return { kind: "print", formatted, args: parts, to: this.#redirect() };
  }

  #redirect(): Redirect | null {
    for (const operator of [">", ">>", "|"] as const)
      if (this.#take(operator)) return { operator, target: this.#conditional() };
    return null;
  }

  #delete(): Statement {
    this.#at++;
    const { text } = this.#token;
    this.#at++;
    if (!this.#take("[")) return { kind: "delete", name: text, keys: null };
    const keys = this.#list();
    this.#expect("]");
    return { kind: "delete", name: text, keys };
  }

  #if(): Statement {
    this.#at++;
    this.#expect("(");
    const test = this.#expression();
    this.#expect(")");
    const then = this.#statement();
    const before = this.#at;
    this.#ends();
    if (this.#take("else")) return { kind: "if", test, yes: then, otherwise: this.#statement() };
    this.#at = before;
    return { kind: "if", test, yes: then, otherwise: null };
  }

  #while(): Statement {
    this.#at++;
    this.#expect("(");
    const test = this.#expression();
    this.#expect(")");
    return { kind: "while", test, body: this.#statement(), after: false };
  }

  #do(): Statement {
    this.#at++;
    const body = this.#statement();
    this.#ends();
    this.#expect("while");
    this.#expect("(");
    const test = this.#expression();
    this.#expect(")");
    return { kind: "while", test, body, after: true };
  }

  #for(): Statement {
    this.#at++;
    this.#expect("(");
    const [name, within, array, close] = this.#tokens.slice(this.#at, this.#at + 4);
    if (name?.kind === "name" && within?.text === "in" && array?.kind === "name" && close?.text === ")") {
      this.#at += 4;
      return { kind: "each", variable: name.text, array: array.text, body: this.#statement() };
    }
    const begin = this.#is(";") ? null : this.#simple();
    this.#expect(";");
    this.#newlines();
    const test = this.#is(";") ? null : this.#expression();
    this.#expect(";");
    this.#newlines();
    const step = this.#is(")") ? null : this.#simple();
    this.#expect(")");
    return { kind: "for", begin, test, step, body: this.#statement() };
  }

  // Expressions, the loosest first

  #list(): Expression[] {
    const all = [this.#expression()];
    while (this.#take(",")) {
      this.#newlines();
      all.push(this.#expression());
    }
    return all;
  }

  #expression(): Expression {
    const left = this.#conditional();
    const operator = this.#token.text;
    if (this.#token.kind !== "operator" || !assignments.has(operator) || !isTarget(left)) return left;
    this.#at++;
    this.#newlines();
    return {
      kind: "assign",
      operator: operator.replace("**", "^").slice(0, -1),
      target: left,
      value: this.#expression(),
    };
  }

  #conditional(): Expression {
    const test = this.#or();
    if (!this.#take("?")) return test;
    this.#newlines();
    const then = this.#expression();
    this.#newlines();
    this.#expect(":");
    this.#newlines();
    return { kind: "conditional", test, yes: then, otherwise: this.#expression() };
  }

  #or(): Expression {
    let left = this.#and();
    while (this.#take("||")) {
      this.#newlines();
      left = { kind: "binary", operator: "||", left, right: this.#and() };
    }
    return left;
  }

  #and(): Expression {
    let left = this.#in();
    while (this.#take("&&")) {
      this.#newlines();
      left = { kind: "binary", operator: "&&", left, right: this.#in() };
    }
    return left;
  }

  #in(): Expression {
    let left = this.#match();
    while (!this.#noIn && this.#take("in")) {
      const { text } = this.#token;
      this.#at++;
      left = { kind: "in", name: text, keys: left.kind === "group" ? left.parts : [left] };
    }
    return left;
  }

  #match(): Expression {
    let left = this.#comparison();
    while (this.#is("~") || this.#is("!~")) {
      const negated = this.#is("!~");
      this.#at++;
      left = { kind: "match", negated, text: left, pattern: this.#comparison() };
    }
    return left;
  }

  #comparison(): Expression {
    let left = this.#concatenation();
    for (;;) {
      const operator = this.#token.text;
      const compares =
        this.#token.kind === "operator" && comparisons.has(operator) && !(this.#noGreater && operator === ">");
      if (compares) {
        this.#at++;
        left = { kind: "binary", operator, left, right: this.#concatenation() };
      } else if (this.#is("|") && this.#tokens[this.#at + 1]?.text === "getline") {
        this.#at += 2;
        left = { kind: "getline", target: this.#getlineTarget(), from: "command", source: left };
      } else return left;
    }
  }

  #concatenation(): Expression {
    let left = this.#additive();
    while (this.#mayConcatenate()) left = { kind: "binary", operator: " ", left, right: this.#additive() };
    return left;
  }

  #mayConcatenate(): boolean {
    const { kind, text } = this.#token;
    if (
      kind === "number" ||
      kind === "string" ||
      kind === "regex" ||
      kind === "name" ||
      kind === "call" ||
      kind === "builtin"
    )
      return true;
    return (
      kind === "operator" &&
      (text === "$" || text === "(" || text === "!" || text === "-" || text === "+" || text === "++" || text === "--")
    );
  }

  #additive(): Expression {
    let left = this.#multiplicative();
    while (this.#is("+") || this.#is("-")) {
      const operator = this.#token.text;
      this.#at++;
      left = { kind: "binary", operator, left, right: this.#multiplicative() };
    }
    return left;
  }

  #multiplicative(): Expression {
    let left = this.#unary();
    while (this.#is("*") || this.#is("/") || this.#is("%")) {
      const operator = this.#token.text;
      this.#at++;
      left = { kind: "binary", operator, left, right: this.#unary() };
    }
    return left;
  }

  #unary(): Expression {
    for (const operator of ["!", "-", "+"])
      if (this.#take(operator)) return { kind: "unary", operator, operand: this.#unary() };
    return this.#power();
  }

  #power(): Expression {
    const base = this.#postfix();
    if (!this.#take("^") && !this.#take("**")) return base;
    return {
      kind: "binary",
      operator: "^",
      left: base,
      right: this.#is("-") || this.#is("+") || this.#is("!") ? this.#unary() : this.#power(),
    };
  }

  #postfix(): Expression {
    const operand = this.#primary();
    if (!isTarget(operand)) return operand;
    if (this.#take("++")) return { kind: "step", target: operand, by: 1, prefix: false };
    if (this.#take("--")) return { kind: "step", target: operand, by: -1, prefix: false };
    return operand;
  }

  #primary(): Expression {
    const token = this.#token;
    this.#at++;
    switch (token.kind) {
      case "number":
        return { kind: "number", value: leading(token.text).value };
      case "string":
        return { kind: "string", value: token.text };
      case "regex":
        return { kind: "regex", regex: compileRegex(token.text, { extended: true }, "g") };
      case "name":
        return this.#name(token.text);
      case "call":
      case "builtin":
        return this.#call(token);
      case "keyword":
        if (token.text === "getline") return this.#getline();
        break;
      case "operator":
        return this.#operator(token);
      case "newline":
      case "end":
        break;
    }
    throw problem(token.line, "Unexpected token");
  }

  #operator(token: Token): Expression {
    if (token.text === "$")
      return {
        kind: "field",
        index: this.#is("++") || this.#is("--") || this.#is("-") ? this.#unary() : this.#primary(),
      };
    if (token.text === "++" || token.text === "--") {
      const target = this.#primary();
      if (!isTarget(target)) throw problem(token.line, "Unexpected token");
      return { kind: "step", target, by: token.text === "++" ? 1 : -1, prefix: true };
    }
    if (token.text !== "(") throw problem(token.line, "Unexpected token");
    const { outerGreater, outerIn } = { outerGreater: this.#noGreater, outerIn: this.#noIn };
    this.#noGreater = false;
    this.#noIn = false;
    const parts = this.#list();
    this.#expect(")");
    this.#noGreater = outerGreater;
    this.#noIn = outerIn;
    return { kind: "group", parts };
  }

  #name(name: string): Expression {
    if (!this.#take("[")) return { kind: "variable", name };
    const keys = this.#list();
    this.#expect("]");
    return { kind: "element", name, keys };
  }

  #call(token: Token): Expression {
    const kind = token.kind === "call" ? "call" : "builtin";
    if (!this.#take("(")) {
      if (token.text !== "length") throw problem(token.line, "Unexpected token");
      return { kind, name: token.text, args: [] };
    }
    const greater = this.#noGreater;
    this.#noGreater = false;
    this.#newlines();
    const args = this.#is(")") ? [] : this.#list();
    this.#newlines();
    this.#expect(")");
    this.#noGreater = greater;
    if (kind === "builtin") checkCount(token, args.length);
    return { kind, name: token.text, args };
  }

  #getline(): Expression {
    const target = this.#getlineTarget();
    if (!this.#take("<")) return { kind: "getline", target, from: "main", source: null };
    return { kind: "getline", target, from: "file", source: this.#primary() };
  }

  #getlineTarget(): Target | null {
    if (this.#token.kind !== "name" && !this.#is("$")) return null;
    const target = this.#primary();
    return isTarget(target) ? target : null;
  }
}

/** At least and at most so many arguments; those that are not here take what they get. */
const argumentCounts: Readonly<Record<string, readonly [number, number]>> = {
  length: [0, 1],
  substr: [2, 3],
  index: [2, 2],
  split: [2, 3],
  sub: [2, 3],
  gsub: [2, 3],
  match: [2, 2],
  tolower: [1, 1],
  toupper: [1, 1],
  system: [1, 1],
  close: [1, 1],
};

function checkCount({ text, line }: Token, count: number): void {
  const [least, most] = argumentCounts[text] ?? [0, Infinity];
  if (count < least) throw problem(line, "Too few arguments");
  if (count > most) throw problem(line, "Too many arguments");
}

function isTarget(expression: Expression): expression is Target {
  return expression.kind === "variable" || expression.kind === "field" || expression.kind === "element";
}
