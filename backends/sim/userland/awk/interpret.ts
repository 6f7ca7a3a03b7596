/** Runs an awk program: records, fields, variables, and the streams it opens. */
import { Errno, errnoText } from "../../../../core/base/errno.ts";
import type { Fd } from "../../kernel/sys.ts";
import { type Context, Failure } from "../applet.ts";
import { compileRegex } from "../regex.ts";
import { type Run, settled } from "../run.ts";
import { plainBuiltin } from "./builtins.ts";
import { bytewise, readable } from "./bytes.ts";
import { Formatter } from "./formatter.ts";
import { Reader, Streams } from "./streams.ts";
import type { AwkProgram, Expression, Redirect, Rule, Statement, Target } from "./tree.ts";
import { arithmetic, type AwkArray, compare, isTrue, numeric, splitBy, toNumber, toText, type Value } from "./value.ts";

/** A way out of statements. */
class Leave extends Error {
  override readonly name = "Leave";
  readonly how: "break" | "continue" | "next" | "nextfile" | "exit" | "return";
  readonly value: Value;

  constructor(how: Leave["how"], value: Value = undefined) {
    super(how);
    this.how = how;
    this.value = value;
  }
}

const statementFuel = 400;
const fuelBatch = 200_000;
const depthMax = 500;

export class Awk {
  readonly #context: Context;
  readonly #program: AwkProgram;
  readonly #globals = new Map<string, Value | AwkArray>();
  #locals: Map<string, Value | AwkArray> | null = null;
  #fields: Value[] = [""];
  #isSplit = true;
  readonly #streams: Streams;
  readonly #ranges = new Map<Rule, boolean>();
  readonly #regexes = new Map<string, RegExp>();
  #main: Reader | null = null;
  #mainFd: Fd = 0;
  #fuel = 0;
  #depth = 0;
  #seed = 1;
  #previousSeed = 0;
  readonly #formatter = new Formatter();

  constructor(context: Context, program: AwkProgram) {
    this.#context = context;
    this.#program = program;
    this.#streams = new Streams(context);
    for (const [name, value] of Object.entries({
      FS: " ",
      OFS: " ",
      ORS: "\n",
      RS: "\n",
      SUBSEP: "\x1c",
      CONVFMT: "%.6g",
      OFMT: "%.6g",
      NR: 0,
      FNR: 0,
      NF: 0,
      RSTART: 0,
      RLENGTH: -1,
      FILENAME: "",
    }))
      this.#globals.set(name, value);
    this.#globals.set(
      "ENVIRON",
      new Map(
        context.environment
          .map(bytewise)
          .map((entry): [string, Value] => [
            entry.slice(0, entry.indexOf("=")),
            numeric(entry.slice(entry.indexOf("=") + 1)),
          ]),
      ),
    );
  }

  /** "name=value" of -v and of operands. */
  assign(text: string): void {
    const at = text.indexOf("=");
    this.#globals.set(
      text.slice(0, at),
      numeric(
        text
          .slice(at + 1)
          .replace(/\\n/g, "\n")
          .replace(/\\t/g, "\t")
          .replace(/\\\\/g, "\\"),
      ),
    );
  }

  *run(operands: readonly string[]): Run<number> {
    this.#globals.set("ARGC", operands.length + 1);
    this.#globals.set(
      "ARGV",
      new Map(["awk", ...operands].map((text, index): [string, Value] => [String(index), numeric(text)])),
    );
    const { rules } = this.#program;
    let code = 0;
    try {
      for (const rule of rules) if (rule.when === "begin" && rule.body !== null) yield* this.#statement(rule.body);
      if (rules.some(({ when }) => when !== "begin")) yield* this.#records(rules);
    } catch (thrown) {
      code = this.#exitCode(thrown);
    }
    if (!this.#exited) code = yield* this.#end(rules, code);
    yield* settled(this.#context.out.flush());
    yield* this.#streams.closeAll();
    return code;
  }

  #exited = false;

  #exitCode(thrown: unknown): number {
    if (!(thrown instanceof Leave) || thrown.how !== "exit") throw thrown;
    this.#exitValue = toNumber(thrown.value);
    return this.#exitValue;
  }

  #exitValue = 0;

  /** END runs after `exit` too, unless that was in END. */
  *#end(rules: readonly Rule[], code: number): Run<number> {
    this.#exited = true;
    try {
      for (const rule of rules) if (rule.when === "end" && rule.body !== null) yield* this.#statement(rule.body);
      return code;
    } catch (thrown) {
      const ended = this.#exitCode(thrown);
      return thrown instanceof Leave && thrown.value === undefined ? code : ended;
    }
  }

  // Records

  *#records(rules: readonly Rule[]): Run<void> {
    for (;;) {
      const record = yield* this.#nextMain();
      if (record === null) return;
      this.#setRecord(record);
      try {
        for (const rule of rules) yield* this.#rule(rule);
      } catch (thrown) {
        if (!(thrown instanceof Leave) || (thrown.how !== "next" && thrown.how !== "nextfile")) throw thrown;
        if (thrown.how === "nextfile") this.#closeMain();
      }
    }
  }

  *#rule(rule: Rule): Run<void> {
    const { when, body } = rule;
    if (when === "begin" || when === "end") return;
    if (when !== "always" && !(yield* this.#applies(rule, when))) return;
    if (body !== null) yield* this.#statement(body);
    else yield* this.#write(`${this.#field(0)}${this.#text("ORS")}`, null);
  }

  *#applies(rule: Rule, when: { first: Expression; last: Expression | null }): Run<boolean> {
    if (when.last === null) return isTrue(yield* this.#evaluate(when.first));
    const isOpen = this.#ranges.get(rule) === true;
    if (!isOpen && !isTrue(yield* this.#evaluate(when.first))) return false;
    this.#ranges.set(rule, !isTrue(yield* this.#evaluate(when.last)));
    return true;
  }

  /** The next record of the operands' files; null at the end. */
  *#nextMain(): Run<string | null> {
    for (;;) {
      if (this.#main === null && !(yield* this.#openNext())) return null;
      const record = yield* (this.#main as Reader).record(this.#text("RS"));
      if (record !== null) {
        this.#globals.set("NR", toNumber(this.#scalar("NR")) + 1);
        this.#globals.set("FNR", toNumber(this.#scalar("FNR")) + 1);
        return record;
      }
      this.#closeMain();
    }
  }

  #place = 0;
  #opened = false;

  *#openNext(): Run<boolean> {
    const argv = this.#array("ARGV");
    const count = toNumber(this.#scalar("ARGC"));
    while (++this.#place < count) {
      const operand = toText(argv.get(String(this.#place)), "%.6g");
      if (operand === "") continue;
      if (/^[A-Za-z_]\w*=/.test(operand)) this.assign(operand);
      else return yield* this.#open(operand);
    }
    if (this.#opened) return false;
    return yield* this.#open("-");
  }

  *#open(name: string): Run<boolean> {
    this.#opened = true;
    try {
      this.#mainFd = name === "-" ? 0 : yield* settled(this.#context.sys.open(readable(name), { access: "read" }));
    } catch (thrown) {
      if (!(thrown instanceof Errno)) throw thrown;
      yield* settled(this.#context.out.flush());
      throw new Failure(`${readable(name)}: ${errnoText(thrown.errno)}`);
    }
    this.#main = new Reader(this.#context.sys, this.#mainFd);
    this.#globals.set("FILENAME", name === "-" ? "" : name);
    this.#globals.set("FNR", 0);
    return true;
  }

  #closeMain(): void {
    if (this.#mainFd !== 0) this.#context.sys.close(this.#mainFd);
    this.#mainFd = 0;
    this.#main = null;
  }

  #setRecord(record: string): void {
    this.#fields = [numeric(record)];
    this.#isSplit = false;
  }

  #split(): void {
    if (this.#isSplit) return;
    this.#isSplit = true;
    const record = toText(this.#fields[0], "");
    this.#fields = [this.#fields[0], ...this.#pieces(record, this.#text("FS")).map(numeric)];
    this.#globals.set("NF", this.#fields.length - 1);
  }

  #pieces(text: string, separator: string): string[] {
    if (text === "") return [];
    if (separator === " ") return text.match(/[^ \t\n]+/g) ?? [];
    if (separator === "") return text.split("");
    if (separator === "\t" || (separator.length === 1 && !/[\\^$.*+?()[\]{}|]/.test(separator)))
      return text.split(separator);
    return splitBy(
      text,
      this.#regex(
        separator.length === 1
          ? `[${separator === "^" || separator === "\\" ? `\\${separator}` : separator}]`
          : separator,
      ),
    );
  }

  #regex(source: string): RegExp {
    let regex = this.#regexes.get(source);
    if (regex === undefined) {
      regex = compileRegex(source, { extended: true }, "g");
      this.#regexes.set(source, regex);
    }
    regex.lastIndex = 0;
    return regex;
  }

  #field(index: number): string {
    return toText(this.#fieldValue(index), this.#convention());
  }

  #fieldValue(index: number): Value {
    if (!(index >= 0)) throw new Failure("cmd. line:1: Access to negative field");
    if (index > 0) this.#split();
    return this.#fields[index] ?? "";
  }

  #setField(index: number, value: Value): void {
    if (!(index >= 0)) throw new Failure("cmd. line:1: Access to negative field");
    if (index === 0) return this.#setRecord(toText(value, this.#convention()));
    this.#split();
    while (this.#fields.length <= index) this.#fields.push("");
    this.#fields[index] = value;
    this.#globals.set("NF", this.#fields.length - 1);
    this.#join();
  }

  #setCount(count: number): void {
    this.#split();
    while (this.#fields.length <= count) this.#fields.push("");
    this.#fields.length = count + 1;
    this.#globals.set("NF", count);
    this.#join();
  }

  #join(): void {
    const texts = this.#fields.slice(1).map((field) => toText(field, this.#convention()));
    this.#fields[0] = texts.join(this.#text("OFS"));
  }

  // Variables

  #lookUp(name: string): Value | AwkArray {
    if (this.#locals?.has(name) === true) return this.#locals.get(name);
    if (name === "NF") this.#split();
    return this.#globals.get(name);
  }

  #scalar(name: string): Value {
    const value = this.#lookUp(name);
    if (value instanceof Map) throw new Failure(`cmd. line:1: Can't use array ${name} in scalar context`);
    return value;
  }

  #text(name: string): string {
    return toText(this.#scalar(name), "%.6g");
  }

  #convention(): string {
    return toText(this.#globals.get("CONVFMT") as Value, "%.6g");
  }

  #array(name: string): AwkArray {
    const value = this.#lookUp(name);
    if (value instanceof Map) return value;
    const array: AwkArray = new Map();
    if (this.#locals?.has(name) === true) this.#locals.set(name, array);
    else this.#globals.set(name, array);
    return array;
  }

  #setVariable(name: string, value: Value): void {
    if (this.#locals?.has(name) === true) this.#locals.set(name, value);
    else if (name === "NF") this.#setCount(toNumber(value));
    else this.#globals.set(name, value);
  }

  *#key(keys: readonly Expression[]): Run<string> {
    const texts: string[] = [];
    for (const key of keys) texts.push(toText(yield* this.#evaluate(key), this.#convention()));
    return texts.join(texts.length > 1 ? this.#text("SUBSEP") : "");
  }

  *#assignTo(target: Target, value: Value): Run<void> {
    if (target.kind === "variable") this.#setVariable(target.name, value);
    else if (target.kind === "field") this.#setField(toNumber(yield* this.#evaluate(target.index)), value);
    else {
      const key = yield* this.#key(target.keys);
      this.#array(target.name).set(key, value);
    }
  }

  // Statements

  *#statement(statement: Statement): Run<void> {
    this.#fuel += statementFuel;
    if (this.#fuel >= fuelBatch) {
      yield* settled(this.#context.sys.work(this.#fuel));
      this.#fuel = 0;
    }
    switch (statement.kind) {
      case "block":
        for (const each of statement.body) yield* this.#statement(each);
        return;
      case "expression":
        yield* this.#evaluate(statement.value);
        return;
      case "print":
        return yield* this.#print(statement);
      case "if": {
        const chosen = isTrue(yield* this.#evaluate(statement.test)) ? statement.yes : statement.otherwise;
        if (chosen !== null) yield* this.#statement(chosen);
        return;
      }
      case "while":
        return yield* this.#while(statement);
      case "for":
        return yield* this.#for(statement);
      case "each":
        return yield* this.#each(statement);
      case "delete":
        if (statement.keys === null) this.#array(statement.name).clear();
        else this.#array(statement.name).delete(yield* this.#key(statement.keys));
        return;
      case "leave":
        throw new Leave(statement.how);
      case "exit":
      case "return":
        throw new Leave(statement.kind, statement.value === null ? undefined : yield* this.#evaluate(statement.value));
    }
  }

  /** A loop's body; false when the loop is over. */
  *#body(body: Statement): Run<boolean> {
    try {
      yield* this.#statement(body);
      return true;
    } catch (thrown) {
      if (!(thrown instanceof Leave) || (thrown.how !== "break" && thrown.how !== "continue")) throw thrown;
      return thrown.how === "continue";
    }
  }

  *#while({ test, body, after }: Extract<Statement, { kind: "while" }>): Run<void> {
    if (after && !(yield* this.#body(body))) return;
    while (isTrue(yield* this.#evaluate(test))) if (!(yield* this.#body(body))) return;
  }

  *#for({ begin, test, step, body }: Extract<Statement, { kind: "for" }>): Run<void> {
    if (begin !== null) yield* this.#statement(begin);
    while (test === null || isTrue(yield* this.#evaluate(test))) {
      if (!(yield* this.#body(body))) return;
      if (step !== null) yield* this.#statement(step);
    }
  }

  *#each({ variable, array, body }: Extract<Statement, { kind: "each" }>): Run<void> {
    for (const key of [...this.#array(array).keys()]) {
      this.#setVariable(variable, numeric(key));
      if (!(yield* this.#body(body))) return;
    }
  }

  *#print({ formatted, args, to }: Extract<Statement, { kind: "print" }>): Run<void> {
    const values: Value[] = [];
    for (const arg of args) values.push(yield* this.#evaluate(arg));
    if (formatted) return yield* this.#write(this.#formatter.format(values, this.#convention()), to);
    const texts = values.map((value) => toText(value, this.#text("OFMT")));
    const line = args.length === 0 ? this.#field(0) : texts.join(this.#text("OFS"));
    yield* this.#write(line + this.#text("ORS"), to);
  }

  *#write(text: string, to: Redirect | null): Run<void> {
    if (to === null) {
      this.#context.out.put(readable(text));
      if (text.includes("\n")) yield* settled(this.#context.out.settle());
      return;
    }
    const name = toText(yield* this.#evaluate(to.target), "%.6g");
    if (name === "/dev/stdout" && to.operator !== "|") return yield* this.#write(text, null);
    yield* this.#streams.write(to.operator, name, text);
  }

  // Expressions

  *#evaluate(expression: Expression): Run<Value> {
    switch (expression.kind) {
      case "number":
      case "string":
        return expression.value;
      case "regex":
        return this.#test(expression.regex, this.#field(0));
      case "variable":
        return this.#scalar(expression.name);
      case "field": {
        const index = Math.trunc(toNumber(yield* this.#evaluate(expression.index)));
        return this.#fieldValue(index);
      }
      case "element":
        return yield* this.#element(expression);
      case "in":
        return this.#array(expression.name).has(yield* this.#key(expression.keys)) ? 1 : 0;
      case "assign":
        return yield* this.#assign(expression);
      case "step": {
        const before = toNumber(yield* this.#evaluate(expression.target));
        yield* this.#assignTo(expression.target, before + expression.by);
        return expression.prefix ? before + expression.by : before;
      }
      case "conditional":
        return yield* this.#evaluate(
          isTrue(yield* this.#evaluate(expression.test)) ? expression.yes : expression.otherwise,
        );
      case "binary":
        return yield* this.#binary(expression);
      case "unary": {
        const value = yield* this.#evaluate(expression.operand);
        return expression.operator === "!"
          ? isTrue(value)
            ? 0
            : 1
          : expression.operator === "-"
            ? -toNumber(value)
            : toNumber(value);
      }
      case "match": {
        const text = toText(yield* this.#evaluate(expression.text), this.#convention());
        const found = this.#test(yield* this.#pattern(expression.pattern), text);
        return expression.negated ? 1 - found : found;
      }
      case "call":
        return yield* this.#call(expression.name, expression.args);
      case "builtin":
        return yield* this.#builtin(expression.name, expression.args);
      case "getline":
        return yield* this.#getline(expression);
      case "group": {
        let value: Value;
        for (const part of expression.parts) value = yield* this.#evaluate(part);
        return value;
      }
    }
  }

  /** Looking at an element makes it. */
  *#element({ name, keys }: Extract<Expression, { kind: "element" }>): Run<Value> {
    const key = yield* this.#key(keys);
    const array = this.#array(name);
    if (!array.has(key)) array.set(key, undefined);
    return array.get(key);
  }

  #test(regex: RegExp, text: string): number {
    regex.lastIndex = 0;
    return regex.test(text) ? 1 : 0;
  }

  *#pattern(expression: Expression): Run<RegExp> {
    if (expression.kind === "regex") return expression.regex;
    return this.#regex(toText(yield* this.#evaluate(expression), this.#convention()));
  }

  *#assign({ operator, target, value }: Extract<Expression, { kind: "assign" }>): Run<Value> {
    const right = yield* this.#evaluate(value);
    const result =
      operator === "" ? right : arithmetic(operator, toNumber(yield* this.#evaluate(target)), toNumber(right));
    yield* this.#assignTo(target, result);
    return result;
  }

  *#binary({ operator, left, right }: Extract<Expression, { kind: "binary" }>): Run<Value> {
    const a = yield* this.#evaluate(left);
    if (operator === "&&") return isTrue(a) && isTrue(yield* this.#evaluate(right)) ? 1 : 0;
    if (operator === "||") return isTrue(a) || isTrue(yield* this.#evaluate(right)) ? 1 : 0;
    const b = yield* this.#evaluate(right);
    if (operator === " ") return toText(a, this.#convention()) + toText(b, this.#convention());
    if (/^(?:[<>]=?|[!=]=)$/.test(operator)) return compare(operator, a, b, this.#convention()) ? 1 : 0;
    return arithmetic(operator, toNumber(a), toNumber(b));
  }

  *#call(name: string, args: readonly Expression[]): Run<Value> {
    const called = this.#program.functions.get(name);
    if (called === undefined) throw new Failure(`cmd. line:1: Call to undefined function`);
    if (++this.#depth > depthMax) throw new Failure("functions call each other too deeply");
    const locals = new Map<string, Value | AwkArray>();
    const lent: [string, string][] = [];
    for (const [index, parameter] of called.parameters.entries()) {
      const arg = args[index];
      if (arg?.kind === "variable") {
        const value = this.#lookUp(arg.name);
        locals.set(parameter, value);
        if (value === undefined) lent.push([parameter, arg.name]);
      } else locals.set(parameter, arg === undefined ? undefined : yield* this.#evaluate(arg));
    }
    const outer = this.#locals;
    this.#locals = locals;
    try {
      yield* this.#statement(called.body);
      return undefined;
    } catch (thrown) {
      if (thrown instanceof Leave && thrown.how === "return") return thrown.value;
      throw thrown;
    } finally {
      this.#locals = outer;
      this.#depth--;
      // A variable nobody had used yet may have become an array in there.
      for (const [parameter, variable] of lent) {
        const value = locals.get(parameter);
        if (value instanceof Map && outer?.has(variable) === true) outer.set(variable, value);
        else if (value instanceof Map) this.#globals.set(variable, value);
      }
    }
  }

  *#getline({ target, from, source }: Extract<Expression, { kind: "getline" }>): Run<Value> {
    const record = from === "main" ? yield* this.#nextMain() : yield* this.#fromStream(from, source);
    if (record === -1) return -1;
    if (record === null) return 0;
    if (target === null) this.#setRecord(record);
    else yield* this.#assignTo(target, numeric(record));
    if (from === "command") this.#globals.set("NR", toNumber(this.#scalar("NR")) + 1);
    return 1;
  }

  *#fromStream(from: "file" | "command", source: Expression | null): Run<string | null | -1> {
    const name = source === null ? "" : toText(yield* this.#evaluate(source), "%.6g");
    try {
      const reader = yield* this.#streams.reader(from, name);
      return yield* reader.record(this.#text("RS"));
    } catch (thrown) {
      if (thrown instanceof Errno) return -1;
      throw thrown;
    }
  }

  *#builtin(name: string, args: readonly Expression[]): Run<Value> {
    const [first, second, third] = args;
    if (name === "length") return yield* this.#length(first);
    if (name === "split" && first !== undefined && second?.kind === "variable")
      return yield* this.#splitInto(first, second.name, third);
    if ((name === "sub" || name === "gsub") && first !== undefined && second !== undefined)
      return yield* this.#substitute(name === "gsub", first, second, third);
    if (name === "match" && first !== undefined && second !== undefined) return yield* this.#match(first, second);
    const values: Value[] = [];
    for (const arg of args) values.push(yield* this.#evaluate(arg));
    if (name === "sprintf") return this.#formatter.format(values, this.#convention());
    if (name === "system") return yield* this.#system(toText(values[0], "%.6g"));
    if (name === "close") return yield* this.#streams.close(toText(values[0], "%.6g"));
    if (name === "fflush") {
      yield* settled(this.#context.out.flush());
      return 0;
    }
    if (name === "rand" || name === "srand") return this.#random(name, values[0]);
    return plainBuiltin(name, values, this.#convention(), this.#context.sys.now());
  }

  *#length(operand: Expression | undefined): Run<number> {
    if (operand === undefined) return this.#field(0).length;
    if (operand.kind === "variable") {
      const value = this.#lookUp(operand.name);
      if (value instanceof Map) return value.size;
    }
    return toText(yield* this.#evaluate(operand), this.#convention()).length;
  }

  *#splitInto(text: Expression, name: string, separator: Expression | undefined): Run<number> {
    const whole = toText(yield* this.#evaluate(text), this.#convention());
    const pieces =
      separator?.kind === "regex"
        ? whole === ""
          ? []
          : splitBy(whole, separator.regex)
        : this.#pieces(
            whole,
            separator === undefined ? this.#text("FS") : toText(yield* this.#evaluate(separator), this.#convention()),
          );
    const array = this.#array(name);
    array.clear();
    for (const [index, piece] of pieces.entries()) array.set(String(index + 1), numeric(piece));
    return pieces.length;
  }

  *#substitute(
    global: boolean,
    pattern: Expression,
    replacement: Expression,
    target: Expression | undefined,
  ): Run<number> {
    const regex = yield* this.#pattern(pattern);
    const text = toText(yield* this.#evaluate(replacement), this.#convention());
    const place = target ?? { kind: "field", index: { kind: "number", value: 0 } };
    const whole = toText(yield* this.#evaluate(place), this.#convention());
    let count = 0;
    regex.lastIndex = 0;
    const result = whole.replace(regex, (match) => {
      if (!global && count > 0) return match;
      count++;
      return text.replace(/\\\\|\\&|&/g, (piece) => (piece === "&" ? match : piece.slice(1)));
    });
    if (count > 0 && (place.kind === "variable" || place.kind === "field" || place.kind === "element"))
      yield* this.#assignTo(place, result);
    return count;
  }

  *#match(text: Expression, pattern: Expression): Run<number> {
    const whole = toText(yield* this.#evaluate(text), this.#convention());
    const regex = yield* this.#pattern(pattern);
    regex.lastIndex = 0;
    const found = regex.exec(whole);
    this.#globals.set("RSTART", found === null ? 0 : found.index + 1);
    this.#globals.set("RLENGTH", found === null ? -1 : found[0].length);
    return found === null ? 0 : found.index + 1;
  }

  *#system(command: string): Run<number> {
    const { sys, out, environment } = this.#context;
    yield* settled(out.flush());
    const pid = yield* settled(sys.spawn("/bin/sh", ["sh", "-c", readable(command)], environment));
    const status = yield* settled(sys.wait(pid));
    return status?.kind === "exited" ? status.value : 256 + (status?.value ?? 0);
  }

  #random(name: string, seed: Value): number {
    if (name === "srand") {
      this.#previousSeed = this.#seed;
      this.#seed = seed === undefined ? Number(this.#context.sys.now() / 1_000_000_000n) : toNumber(seed);
      return this.#previousSeed;
    }
    this.#seed = (this.#seed * 1103515245 + 12345) % 2147483648;
    return this.#seed / 2147483648;
  }
}
