/**
 * From source text to the shell's tree. The grammar is unbash's, which is Bash's; what POSIX does not
 * have is refused here, so that a script which works here works with dash too.
 *
 * A script is parsed whole but run statement by statement, as dash reads it: what stands before a
 * syntax error has run when the error is said.
 */
import {
  parse,
  type AndOr,
  type ArithmeticFor,
  type Case,
  type Assignment as ParsedAssignment,
  type Command,
  type CommandNode,
  type CompoundList,
  type HereDoc,
  type HereString,
  type If,
  type ParameterExpansionPart,
  type ParseError,
  type Pipeline,
  type PipelineNode,
  type Redirect,
  type Redirection as ParsedRedirection,
  type Statement,
  type TestCommand,
  type TestExpression,
  type Word as ParsedWord,
  type WordPart,
} from "unbash";
import type { Language } from "./extension.ts";
import type { Assignment, Condition, Node, ParameterOperation, Redirection, Segment, Simple, Word } from "./tree.ts";

/** "Syntax error: …" as dash words it. */
export class SyntaxProblem extends Error {
  override readonly name = "SyntaxProblem";
  readonly line: number;
  /** More input could mend it. */
  readonly incomplete: boolean;
  /** The line of the source that it is in. */
  readonly source: string;

  constructor(message: string, line: number, incomplete: boolean, source = "") {
    super(message);
    this.line = line;
    this.incomplete = incomplete;
    this.source = source;
  }
}

export interface Parsed {
  /** The statements up to the first error. */
  readonly statements: Iterable<Node>;
  readonly problem: SyntaxProblem | null;
}

/**
 * The same of the beginning of a longer text, which has been cut at the end of a line: a here-document or
 * a line that goes on behind the cut makes it incomplete too.
 */
export function parsePart(text: string, firstLine: number, language: Language): Parsed {
  const parsed = parseScript(text, firstLine, language);
  if (parsed.problem !== null) return parsed;
  const cut = new SyntaxProblem("Syntax error: end of file unexpected", firstLine, true);
  if (/(?:^|[^\\])(?:\\\\)*\\\n$/.test(text.slice(-64))) return { statements: [], problem: cut };
  if (!text.includes("<<")) return parsed;
  const { commands } = parse(text);
  const lowering = new Lowering(text, firstLine, language);
  const statements = [...lowering.statements(commands)];
  return lowering.isCut ? { statements: [], problem: cut } : { statements, problem: null };
}

/** `firstLine` is the number of the text's first line. */
export function parseScript(text: string, firstLine: number, language: Language): Parsed {
  const script = parse(text);
  const lowering = new Lowering(text, firstLine, language);
  const errors = (script.errors ?? [])
    .filter(({ message }) => language.dialect === "bash" || message !== "expected compound command as function body")
    .toSorted((a, b) => a.pos - b.pos);
  const [first] = errors;
  if (first === undefined) return { statements: lowering.statements(script.commands), problem: null };
  const problem = problemOf(errors, first, text, lowering);
  // dash reads line by line: what is complete on the lines before has been run.
  const lineStart = text.lastIndexOf("\n", startOfProblem(script.commands, first.pos) - 1) + 1;
  return { statements: lowering.statements(script.commands.filter(({ end }) => end < lineStart)), problem };
}

/** Where the statement begins in which the error is. */
function startOfProblem(statements: readonly Statement[], pos: number): number {
  const around = statements.find((statement) => statement.pos <= pos && pos <= statement.end);
  return around?.pos ?? pos;
}

function problemOf(
  errors: readonly ParseError[],
  { message, pos }: ParseError,
  text: string,
  lowering: Lowering,
): SyntaxProblem {
  const rest = text.slice(pos).trimStart();
  const wanted = errors
    .map((error) => /^expected '(\w+|[)}])'/.exec(error.message)?.[1])
    .find((token) => token !== undefined);
  // dash looks for a pattern's ")" before it thinks of "esac", and names no "do".
  const expected = wanted === "esac" ? ")" : wanted === "do" ? undefined : wanted;
  const unterminated = /^unterminated (.*)$/.exec(message)?.[1];
  const isAtEnd = rest === "" || unterminated !== undefined;
  const line = isAtEnd ? lowering.lineOf(text.length) : lowering.lineOf(pos);
  const source = text.split("\n")[line - lowering.lineOf(0)] ?? "";
  return new SyntaxProblem(`Syntax error: ${problemText(unterminated, expected, rest)}`, line, isAtEnd, source);
}

function problemText(unterminated: string | undefined, expected: string | undefined, rest: string): string {
  if (unterminated !== undefined) return unterminatedText(unterminated);
  const hint = expected === undefined ? "" : ` (expecting "${expected}")`;
  if (rest === "") return `end of file unexpected${hint}`;
  const token = /^(?:;;|&&|\|\||[;&|()<>\n]|[^\s;&|()<>]+)/.exec(rest)?.[0] ?? rest;
  if (token === "\n") return `newline unexpected${hint}`;
  return /^(?:[;&|()<>]|fi|then|do|done|esac|elif|else|\}|in)/.test(token)
    ? `"${token}" unexpected${hint}`
    : `word unexpected${hint}`;
}

function unterminatedText(what: string): string {
  if (what.includes("quote")) return "Unterminated quoted string";
  if (what.includes("backtick")) return "EOF in backquote substitution";
  if (what.includes("parameter")) return "Missing '}'";
  if (what.includes("arithmetic")) return "Missing '))'";
  return `end of file unexpected (expecting ")")`;
}

class Lowering {
  readonly #text: string;
  readonly #firstLine: number;
  /** A here-document has no end. */
  isCut = false;
  readonly #language: Language;
  #lineStarts: number[] | null = null;

  constructor(text: string, firstLine: number, language: Language) {
    this.#text = text;
    this.#firstLine = firstLine;
    this.#language = language;
  }

  get #isBash(): boolean {
    return this.#language.extension !== null;
  }

  *statements(statements: readonly Statement[]): Generator<Node, void, undefined> {
    for (const statement of statements) yield this.#statement(statement);
  }

  lineOf(pos: number): number {
    this.#lineStarts ??= lineStartsOf(this.#text);
    let low = 0;
    let high = this.#lineStarts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#lineStarts[middle] ?? 0) <= pos) low = middle + 1;
      else high = middle;
    }
    return this.#firstLine + low;
  }

  #source(node: { pos: number; end: number }): string {
    return this.#text.slice(node.pos, node.end);
  }

  #statement(statement: Statement): Node {
    const node = this.#andOr(statement.command);
    if (statement.background !== true) return node;
    return { kind: "background", node, source: this.#source(statement.command) };
  }

  #list(list: CompoundList): Node {
    const [only, ...more] = list.commands;
    if (only !== undefined && more.length === 0) return this.#statement(only);
    return { kind: "list", nodes: list.commands.map((statement) => this.#statement(statement)) };
  }

  #andOr(command: PipelineNode | AndOr): Node {
    if (command.type !== "AndOr") return this.#pipelineNode(command);
    const [first, ...rest] = command.commands.map((each) => this.#pipelineNode(each));
    return rest.reduce<Node>(
      (left, right, index) => ({ kind: command.operators[index] === "&&" ? "and" : "or", left, right }),
      first ?? { kind: "list", nodes: [] },
    );
  }

  #pipelineNode(command: PipelineNode): Node {
    return command.type === "Pipeline" ? this.#pipeline(command) : this.#command(command);
  }

  #pipeline(pipeline: Pipeline): Node {
    if (pipeline.operators.includes("|&") && !this.#isBash) throw this.#refused('"&" unexpected', pipeline);
    const stages = pipeline.commands.map((command, index) => {
      const stage = this.#command(command);
      return pipeline.operators[index] === "|&" ? withErrors(stage) : stage;
    });
    const negated = pipeline.prefixes.filter(({ type }) => type === "Negation").length % 2 === 1;
    const timed = pipeline.prefixes.find(({ type }) => type === "Time");
    if (timed?.type === "Time" && this.#isBash) {
      const [single] = stages;
      const isSingle = stages.length === 1 && !negated && single !== undefined;
      const node: Node = isSingle ? single : { kind: "pipeline", stages, negated, source: this.#source(pipeline) };
      return { kind: "timed", node, posix: timed.posix !== undefined };
    }
    if (timed !== undefined) return this.#timed(pipeline, stages, negated);
    const [only] = stages;
    if (only !== undefined && stages.length === 1 && !negated) return only;
    return { kind: "pipeline", stages, negated, source: this.#source(pipeline) };
  }

  /** POSIX's `time` is a program like others: the word goes back before the first stage. */
  #timed(pipeline: Pipeline, stages: readonly Node[], negated: boolean): Node {
    const [first, ...rest] = stages;
    const time = textWord("time");
    if (first !== undefined && first.kind !== "simple") throw this.#refused("word unexpected", pipeline);
    const posix = pipeline.prefixes.some((prefix) => prefix.type === "Time" && prefix.posix !== undefined);
    const words = [time, ...(posix ? [textWord("-p")] : []), ...(first?.words ?? [])];
    const line = this.lineOf(pipeline.pos);
    const simple = { assignments: [], redirections: [], ...first, kind: "simple" as const, line, words };
    const stage: Node = { ...simple, source: this.#source(pipeline) };
    if (rest.length === 0 && !negated) return stage;
    return { kind: "pipeline", stages: [stage, ...rest], negated, source: this.#source(pipeline) };
  }

  #command(command: CommandNode): Node {
    switch (command.type) {
      case "Command":
        return this.#simple(command);
      case "Redirected": {
        const node = this.#command(command.command);
        return { kind: "redirected", node, redirections: command.redirects.map((each) => this.#redirection(each)) };
      }
      case "Subshell":
        return { kind: "subshell", body: this.#list(command.body), source: this.#source(command) };
      case "BraceGroup":
        return this.#list(command.body);
      case "If":
        return this.#if(command);
      case "While":
        return {
          kind: "loop",
          until: command.kind === "until",
          test: this.#list(command.clause),
          body: this.#list(command.body),
        };
      case "For":
        return {
          kind: "for",
          name: command.name.text,
          words: command.wordlist?.flatMap((word) => this.#words(word)) ?? null,
          body: this.#list(command.body),
        };
      case "Case":
        return this.#case(command);
      case "Function":
        return {
          kind: "function",
          name: command.name.text,
          line: this.lineOf(command.pos),
          body: this.#body(command.body),
        };
      case "TestCommand":
        return this.#test(command);
      case "ArithmeticCommand":
        if (this.#language.dialect === "dash") return this.#nested(command);
        return { kind: "arithmetic", line: this.lineOf(command.pos), text: this.#arithmetic(`$((${command.body}))`) };
      case "ArithmeticFor":
        if (this.#isBash) return this.#count(command);
        throw this.#refused("word unexpected", command);
      case "Select": {
        if (!this.#isBash) throw this.#refused("word unexpected", command);
        const words = command.wordlist?.flatMap((word) => this.#words(word)) ?? null;
        return { kind: "select", name: command.name.text, words, body: this.#list(command.body) };
      }
      case "Coproc":
        throw this.#refused(this.#isBash ? "coproc is not supported here" : "word unexpected", command);
    }
  }

  #case({ word, items }: Case): Node {
    const wrong = items.find(({ terminator }) => terminator !== undefined && terminator !== ";;");
    if (wrong !== undefined && !this.#isBash) throw this.#refused('"&" unexpected', { pos: wrong.end });
    return {
      kind: "case",
      word: this.word(word),
      items: items.map(({ pattern, body, terminator }) => ({
        patterns: pattern.map((each) => this.word(each)),
        body: this.#list(body),
        ...(terminator === ";&" ? { goesOn: "body" } : terminator === ";;&" ? { goesOn: "patterns" } : {}),
      })),
    };
  }

  /** "for ((begin; test; step))". */
  #count(command: ArithmeticFor): Node {
    const part = (expression: { pos: number; end: number } | undefined, otherwise: string): Word =>
      this.#arithmetic(`$((${expression === undefined ? otherwise : this.#source(expression)}))`);
    return {
      kind: "count",
      line: this.lineOf(command.pos),
      begin: part(command.initialize, "0"),
      test: part(command.test, "1"),
      step: part(command.update, "0"),
      body: this.#list(command.body),
    };
  }

  /** To dash "((" are two subshells. */
  #nested(command: { body: string; pos: number; end: number }): Node {
    const { statements, problem } = parseScript(`( ( ${command.body} ) )`, this.lineOf(command.pos), this.#language);
    if (problem !== null) throw problem;
    const [only] = statements;
    return only ?? { kind: "list", nodes: [] };
  }

  #body(body: CommandNode | CompoundList): Node {
    return body.type === "CompoundList" ? this.#list(body) : this.#command(body);
  }

  /** To all but bash "[[" is a word like others, what is between are plain words, and "<" is a redirection. */
  #plain(command: TestCommand): Simple {
    const words: Word[] = [];
    const redirections: Redirection[] = [];
    const add = (expression: TestExpression): void => {
      switch (expression.type) {
        case "TestUnary": {
          const isGiven = this.#text.startsWith(expression.operator, expression.pos);
          return void words.push(...(isGiven ? [textWord(expression.operator)] : []), this.word(expression.operand));
        }
        case "TestBinary": {
          const { operator, left, right } = expression;
          words.push(this.word(left));
          if (operator === "<" || operator === ">")
            redirections.push({ kind: "file", operator, fd: operator === "<" ? 0 : 1, target: this.word(right) });
          else words.push(textWord(operator), this.word(right));
          return;
        }
        case "TestLogical":
          for (const [index, operand] of expression.operands.entries()) {
            if (index > 0) words.push(textWord(expression.operator === "&&" ? "-a" : "-o"));
            add(operand);
          }
          return;
        case "TestNot":
          words.push(...expression.negations.map(() => textWord("!")));
          return add(expression.operand);
        case "TestGroup":
          words.push(textWord("("));
          add(expression.expression);
          words.push(textWord(")"));
      }
    };
    add(command.expression);
    const source = this.#source(command);
    const line = this.lineOf(command.pos);
    return {
      kind: "simple",
      line,
      assignments: [],
      words: [textWord("[["), ...words, textWord("]]")],
      redirections,
      source,
    };
  }

  #if(command: If): Node {
    return {
      kind: "if",
      clauses: [command, ...command.elif].map(({ clause, then }) => ({
        test: this.#list(clause),
        body: this.#list(then),
      })),
      otherwise: command.else === undefined ? null : this.#list(command.else),
    };
  }

  #test(command: TestCommand): Node {
    if (!this.#isBash) return this.#plain(command);
    return { kind: "test", line: this.lineOf(command.pos), expression: this.#condition(command.expression) };
  }

  #condition(expression: TestExpression): Condition {
    switch (expression.type) {
      case "TestUnary":
        return { kind: "unary", operator: expression.operator, operand: this.word(expression.operand) };
      case "TestBinary": {
        const { operator } = expression;
        return { kind: "binary", operator, left: this.word(expression.left), right: this.word(expression.right) };
      }
      case "TestLogical": {
        const parts = expression.operands.map((operand) => this.#condition(operand));
        return { kind: expression.operator === "&&" ? "and" : "or", parts };
      }
      case "TestNot":
        return { kind: "not", part: this.#condition(expression.operand), times: expression.negations.length };
      case "TestGroup":
        return this.#condition(expression.expression);
    }
  }

  #simple(command: Command): Node {
    const assignments: Assignment[] = [];
    const words: Word[] = [];
    const redirections: Redirection[] = [];
    const arrays: Assignment[] = [];
    for (const each of command.prefix) {
      if (each.type === "Assignment" && this.#isWord(each)) words.push(this.#assignmentWord(each));
      else if (each.type === "Assignment") assignments.push(this.#assignment(each));
      else redirections.push(this.#redirection(each));
    }
    if (command.name !== undefined) words.push(this.word(command.name));
    for (const each of command.suffix) {
      if (each.type === "Word") words.push(...this.#words(each));
      else if (each.type === "Assignment" && each.value.type === "ArrayValue" && this.#isBash) {
        arrays.push(this.#assignment(each));
        words.push(textWord(each.name));
      } else if (each.type === "Assignment") words.push(this.#assignmentWord(each));
      else redirections.push(this.#redirection(each));
    }
    const source = command.name === undefined ? "" : this.#text.slice(command.name.pos, command.end);
    const line = this.lineOf(command.pos);
    return { kind: "simple", line, assignments, words, redirections, source, ...(arrays.length > 0 ? { arrays } : {}) };
  }

  /** "x+=1" and "x[1]=2" assign in bash; they are words like others to the rest. */
  #isWord({ append, index }: ParsedAssignment): boolean {
    return !this.#isBash && (append === true || index !== undefined);
  }

  #assignment(assignment: ParsedAssignment): Assignment {
    const { name, value, append = false } = assignment;
    const index = assignment.index === undefined ? {} : { index: this.word(assignment.index) };
    if (value.type !== "ArrayValue") return { name, append, value: withTildes(this.word(value)), ...index };
    if (!this.#isBash) throw this.#refused('"(" unexpected', assignment);
    return { name, append, value: textWord(""), elements: value.elements.map((word) => this.#element(word)) };
  }

  /** "[key]=value", or words. */
  #element(word: ParsedWord): { key: Word | null; words: readonly Word[] } {
    const [head, key] = /^\[((?:[^\]\\]|\\.)*)\]=/.exec(word.text) ?? [];
    if (head === undefined || key === undefined) return { key: null, words: this.#words(word) };
    const [statement] = parse(`x ${key} ${word.text.slice(head.length)}`).commands;
    const command = statement?.command;
    const [first, second] = command?.type === "Command" ? command.suffix : [];
    return {
      key: first?.type === "Word" ? this.word(first) : textWord(key),
      words: [second?.type === "Word" ? this.word(second) : textWord("")],
    };
  }

  /** A word of a list; in bash its braces make several of it. */
  #words(word: ParsedWord): Word[] {
    const lowered = this.word(word);
    const { extension } = this.#language;
    if (extension === null || !word.text.includes("{")) return [lowered];
    return extension.braces(lowered.segments).map((segments) => wordOf(segments, word.text));
  }

  /** `export a=b`: an argument that looks like an assignment. */
  #assignmentWord(assignment: ParsedAssignment): Word {
    const { value } = this.#assignment(assignment);
    const text = assignment.text.slice(0, assignment.value.pos - assignment.pos);
    return wordOf([{ kind: "text", text, quoted: false }, ...value.segments], assignment.text);
  }

  #redirection(redirection: ParsedRedirection): Redirection {
    if (redirection.type === "HereDoc") return this.#here(redirection);
    if (redirection.type === "HereString") return this.#hereString(redirection);
    const { descriptor } = redirection;
    if (descriptor?.type !== "FileDescriptorVariable" || !this.#isBash) return this.#redirect(redirection);
    return {
      kind: "named",
      name: descriptor.name,
      redirection: this.#redirect({ ...redirection, descriptor: undefined }),
    };
  }

  /** "<<< word": a here-document of one line. */
  #hereString(here: HereString): Redirection {
    if (!this.#isBash) throw this.#refused("redirection unexpected", here);
    const word = here.target === undefined ? textWord("") : this.word(here.target);
    const segments: Segment[] = [...word.segments, { kind: "text", text: "\n", quoted: true }];
    return {
      kind: "here",
      fd: here.descriptor?.type === "FileDescriptor" ? here.descriptor.value : 0,
      body: wordOf(segments, word.source),
    };
  }

  #redirect(redirect: Redirect): Redirection {
    const { operator } = redirect;
    const fd = this.#descriptor(redirect, operator.startsWith("<") ? 0 : 1);
    const target = redirect.target === undefined ? textWord("") : this.word(redirect.target);
    if (operator === "<&" || operator === ">&") return { kind: "duplicate", fd, target };
    if (operator === "&>" || operator === "&>>")
      return { kind: "both", operator: operator === "&>" ? ">" : ">>", target };
    return { kind: "file", operator, fd, target };
  }

  #descriptor(redirect: Redirect | HereDoc, otherwise: number): number {
    const { descriptor } = redirect;
    if (descriptor?.type === "FileDescriptorVariable") throw this.#refused("redirection unexpected", redirect);
    return descriptor?.value ?? otherwise;
  }

  #here(here: HereDoc): Redirection {
    if (here.closing === undefined) this.isCut = true;
    const fd = this.#descriptor(here, 0);
    const strip = here.operator === "<<-";
    const { text, parts } = here.body;
    if (here.delimiter?.quoted === true || parts === undefined) {
      const plain = strip ? text.replace(/^\t+/gm, "") : text;
      const isQuoted = here.delimiter?.quoted === true;
      return {
        kind: "here",
        fd,
        body: textWord(
          isQuoted ? plain : plain.replace(/\\([\\$`\n])/g, (_, char: string) => (char === "\n" ? "" : char)),
        ),
      };
    }
    const segments = this.#segments(parts, true);
    return { kind: "here", fd, body: wordOf(strip ? withoutTabs(segments) : segments, text) };
  }

  word(word: ParsedWord): Word {
    const known = constants.get(word.text);
    if (known !== undefined) return known;
    const segments = word.parts === undefined ? unquote(word.text) : this.#segments(word.parts, false);
    const lowered = wordOf(withTilde(segments), word.text);
    if (lowered.constant !== null && constants.size < constantsMax) constants.set(word.text, lowered);
    return lowered;
  }

  #segments(parts: readonly WordPart[], quoted: boolean): Segment[] {
    return parts.flatMap((part) => this.#segment(part, quoted));
  }

  #segment(part: WordPart, quoted: boolean): Segment[] {
    switch (part.type) {
      case "Literal":
        return quoted ? [{ kind: "text", text: part.value, quoted }] : unquote(part.text);
      case "SingleQuoted":
        return [{ kind: "text", text: quoted ? part.text : part.value, quoted: true }];
      case "AnsiCQuoted":
        if (this.#isBash) return [{ kind: "text", text: part.value, quoted: true }];
        return [
          { kind: "text", text: "$", quoted: false },
          { kind: "text", text: part.text.slice(2, -1), quoted: true },
        ];
      case "DoubleQuoted":
        return [...marksQuotes(part.parts), ...this.#segments(part.parts, true)];
      case "LocaleString":
        return [...(this.#isBash ? [] : [dollar]), ...this.#segments(part.parts, true)];
      case "Glob":
        if (part.kind !== "bracket") return [{ kind: "text", text: part.text, quoted }];
        return this.#bracket(part.text, part.parts, quoted);
      case "ExtendedGlob":
        return unquote(part.text);
      case "BraceExpansion":
        return part.parts === undefined ? unquote(part.text) : this.#segments(part.parts, quoted);
      case "SimpleExpansion":
        return [{ kind: "parameter", name: part.text.slice(1), quoted, operation: null }];
      case "ParameterExpansion":
        return [this.#parameter(part, quoted)];
      case "CommandExpansion":
        return [{ kind: "command", source: commandText(part.text, quoted), line: this.lineOf(part.pos), quoted }];
      case "ArithmeticExpansion":
        return [{ kind: "arithmetic", text: this.#arithmetic(part.text), quoted }];
      case "ProcessSubstitution":
        if (!this.#isBash) throw this.#refused('"(" unexpected', part);
        return [
          { kind: "process", operator: part.operator, source: part.text.slice(2, -1), line: this.lineOf(part.pos) },
        ];
    }
  }

  #bracket(text: string, parts: readonly WordPart[], quoted: boolean): Segment[] {
    if (parts.every(({ type }) => type === "Literal")) return unquote(text);
    return [{ kind: "text", text: "[", quoted }, ...this.#segments(parts, quoted), { kind: "text", text: "]", quoted }];
  }

  #parameter(part: ParameterExpansionPart, quoted: boolean): Segment {
    const segment = {
      kind: "parameter",
      name: part.parameter,
      quoted,
      operation: this.#operation(part, quoted),
    } as const;
    if (!this.#isBash) return segment;
    return {
      ...segment,
      ...(part.index === undefined ? {} : { index: this.word(part.index) }),
      ...(part.prefix === "!" ? { indirect: true } : {}),
    };
  }

  #operation({ prefix, operation, index }: ParameterExpansionPart, quoted: boolean): ParameterOperation | null {
    if (prefix === "#") return operation === undefined ? { kind: "length" } : { kind: "bad" };
    if ((prefix !== undefined || index !== undefined) && !this.#isBash) return { kind: "bad" };
    if (operation === undefined) return null;
    if (this.#isBash && operation.type === "CaseModification") {
      const pattern = operation.operand === undefined ? null : this.#operand(operation.operand, false);
      return { kind: "case", operator: operation.operator, pattern };
    }
    if (this.#isBash && operation.type === "Transform") return { kind: "transform", letter: operation.operand.text };
    if (this.#isBash && operation.type === "Names") return { kind: "names", apart: operation.operator === "@" };
    if (operation.type === "Default") {
      const colon = operation.operator.length === 2;
      const operator = operation.operator.slice(-1) as "-" | "=" | "+" | "?";
      return { kind: "default", operator, colon, operand: this.#operand(operation.operand, quoted) };
    }
    if (operation.type === "Replace") {
      const pattern = this.#operand(operation.pattern, false);
      const replacement = this.#operand(operation.replacement, false);
      return { kind: "replace", how: operation.operator, pattern, replacement };
    }
    if (operation.type === "Slice") {
      const length = operation.length === undefined ? null : this.#operand(operation.length, false);
      return { kind: "slice", offset: this.#operand(operation.offset, false), length };
    }
    if (operation.type !== "Remove") return { kind: "bad" };
    return { kind: "remove", operator: operation.operator, operand: this.#operand(operation.operand, false) };
  }

  /** Within double quotes a default is quoted as they are. */
  #operand(word: ParsedWord, quoted: boolean): Word {
    if (!quoted) return this.word(word);
    const parts: readonly WordPart[] | undefined = word.parts;
    const segments: Segment[] =
      parts === undefined
        ? [{ kind: "text", text: word.text.replace(/\\([\\$`"}])/g, "$1"), quoted }]
        : this.#segments(parts, true);
    return wordOf(segments, word.text);
  }

  /** What is between "$((" and "))": expanded like a double-quoted string, then evaluated. */
  #arithmetic(text: string): Word {
    const inner = text.startsWith("$((") ? text.slice(3, -2) : text.slice(2, -1);
    if (!/[$`]/.test(inner)) return textWord(inner);
    const [statement] = parse(`x "${inner.replaceAll('"', '\\"')}"`).commands;
    const command = statement?.command;
    const word = command?.type === "Command" ? command.suffix[0] : undefined;
    if (word?.type !== "Word") return textWord(inner);
    return this.word(word);
  }

  #refused(what: string, node: { pos: number }): SyntaxProblem {
    return new SyntaxProblem(`Syntax error: ${what}`, this.lineOf(node.pos), false);
  }
}

const dollar: Segment = { kind: "text", text: "$", quoted: false };

/** "a |& b": what a says of errors goes the same way. */
function withErrors(node: Node): Node {
  return { kind: "redirected", node, redirections: [{ kind: "duplicate", fd: 2, target: textWord("1") }] };
}

/** Words without any expansion, by their source: scripts repeat them. */
const constants = new Map<string, Word>();
const constantsMax = 4096;

export function textWord(text: string): Word {
  return { segments: [{ kind: "text", text, quoted: true }], constant: text, source: text };
}

function wordOf(segments: readonly Segment[], source: string): Word {
  const isConstant = segments.every(
    (segment) =>
      segment.kind === "text" && (segment.quoted || !(/[*?]|^~/.test(segment.text) || /.\[|\[./.test(segment.text))),
  );
  const texts = segments.map((segment) => (segment.kind === "text" ? segment.text : ""));
  return { segments, constant: isConstant && segments.length > 0 ? texts.join("") : null, source };
}

/** Unquoted text: a backslash quotes the next character, and one before a newline goes with it. */
function unquote(text: string): Segment[] {
  if (!text.includes("\\")) return [{ kind: "text", text, quoted: false }];
  const pieces = text.match(/\\[^]|[^\\]+|\\$/g) ?? [];
  return pieces
    .filter((piece) => piece !== "\\\n")
    .map((piece) => {
      const isEscape = piece.startsWith("\\") && piece.length > 1;
      return { kind: "text", text: isEscape ? piece.slice(1) : piece, quoted: isEscape };
    });
}

const tilde = /^~[A-Za-z0-9_.-]*(?=\/|$)/;

/** A tilde prefix becomes a segment of its own, which starts with "~" and is unquoted. */
function withTilde(segments: readonly Segment[]): Segment[] {
  const [first, ...rest] = segments;
  if (first?.kind !== "text" || first.quoted) return [...segments];
  const prefix = tilde.exec(first.text)?.[0];
  if (prefix === undefined) return [...segments];
  if (prefix.length === first.text.length && rest.length > 0)
    return [escaped("~"), { ...first, text: first.text.slice(1) }, ...rest];
  return [tildeSegment(prefix), { ...first, text: first.text.slice(prefix.length) }, ...rest];
}

function escaped(text: string): Segment {
  return { kind: "text", text, quoted: true };
}

/** The value of a user's directory: a parameter nobody can name otherwise. */
function tildeSegment(prefix: string): Segment {
  return { kind: "parameter", name: prefix, quoted: true, operation: null };
}

/** In an assignment a tilde also stands after each colon. */
function withTildes(word: Word): Word {
  const segments = word.segments.flatMap((segment): Segment[] => {
    if (segment.kind !== "text" || segment.quoted || !segment.text.includes(":~")) return [segment];
    return segment.text.split(/(?<=:)(?=~)/).flatMap((text) => withTilde([{ ...segment, text }]));
  });
  return wordOf(segments, word.source);
}

/** "<<-": tabs at the start of each line go. */
function withoutTabs(segments: readonly Segment[]): Segment[] {
  let atStart = true;
  return segments.map((segment) => {
    if (segment.kind !== "text") {
      atStart = false;
      return segment;
    }
    const stripped = segment.text.replace(/\n\t+/g, "\n");
    const text = atStart ? stripped.replace(/^\t+/, "") : stripped;
    if (text !== "") atStart = text.endsWith("\n");
    return { ...segment, text };
  });
}

/** Quotes make a field even of nothing; around "$@" alone they do not. */
function marksQuotes(parts: readonly WordPart[]): Segment[] {
  const [only] = parts;
  const isAll = parts.length === 1 && /^\$(?:@|\{@\}|\{!?[A-Za-z_]\w*\[@\]\}|\{@:.*\})$/.test(only?.text ?? "");
  return isAll ? [] : [{ kind: "text", text: "", quoted: true }];
}

/** The source within "$( )" or backticks, where a backslash before `, $, \ and, in double quotes, " goes. */
function commandText(text: string, quoted: boolean): string {
  if (!text.startsWith("`")) return text.slice(2, -1);
  return text.slice(1, -1).replace(quoted ? /\\([`$\\"])/g : /\\([`$\\])/g, "$1");
}

function lineStartsOf(text: string): number[] {
  const starts: number[] = [];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}
