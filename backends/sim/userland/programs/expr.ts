/** expr(1): arithmetic, comparison and matching on words. */
import { applet, Failure } from "../applet.ts";
import { compileRegex } from "../regex.ts";

const levels: readonly (readonly string[])[] = [
  ["|"],
  ["&"],
  ["<", "<=", "=", "==", "!=", ">=", ">"],
  ["+", "-"],
  ["*", "/", "%"],
  [":"],
];

const expr = applet(async (context) => {
  if (context.args.length === 0) throw new Failure("too few arguments", 2);
  const result = new Expression(context.args).whole();
  await context.out.print(`${result}\n`);
  return result === "" || /^-?0+$/.test(result) ? 1 : 0;
});

class Expression {
  readonly #words: readonly string[];
  #at = 0;

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  whole(): string {
    const result = this.#level(0);
    if (this.#at < this.#words.length) throw new Failure("syntax error", 2);
    return result;
  }

  #level(level: number): string {
    const operators = levels[level];
    if (operators === undefined) return this.#primary();
    let left = this.#level(level + 1);
    for (;;) {
      const operator = this.#words[this.#at];
      if (operator === undefined || !operators.includes(operator)) return left;
      this.#at++;
      left = apply(operator, left, this.#level(level + 1));
    }
  }

  #primary(): string {
    const word = this.#words[this.#at++];
    if (word === undefined) throw new Failure("syntax error", 2);
    if (word === "(") {
      const inside = this.#level(0);
      if (this.#words[this.#at++] !== ")") throw new Failure("syntax error", 2);
      return inside;
    }
    if (word === ")") throw new Failure("syntax error", 2);
    const rest = this.#words.length - this.#at;
    if (word === "length" && rest >= 1) return String(Array.from(this.#primary()).length);
    if (word === "match" && rest >= 2) return match(this.#primary(), this.#primary());
    if (word === "index" && rest >= 2) return index(this.#primary(), this.#primary());
    if (word === "substr" && rest >= 3) return substring(this.#primary(), this.#primary(), this.#primary());
    return word;
  }
}

function isTrue(text: string): boolean {
  return text !== "" && !/^-?0+$/.test(text);
}

function number(text: string): bigint {
  if (!/^-?\d+$/.test(text)) throw new Failure("non-numeric argument", 2);
  return BigInt(text);
}

function apply(operator: string, a: string, b: string): string {
  switch (operator) {
    case "|":
      return isTrue(a) ? a : b;
    case "&":
      return isTrue(a) && isTrue(b) ? a : "0";
    case ":":
      return match(a, b);
    case "+":
      return String(BigInt.asIntN(64, number(a) + number(b)));
    case "-":
      return String(BigInt.asIntN(64, number(a) - number(b)));
    case "*":
      return String(BigInt.asIntN(64, number(a) * number(b)));
    case "/":
    case "%":
      if (number(b) === 0n) throw new Failure("division by zero", 2);
      return String(operator === "/" ? number(a) / number(b) : number(a) % number(b));
    default:
      return compare(operator, a, b) ? "1" : "0";
  }
}

function compare(operator: string, a: string, b: string): boolean {
  const areNumbers = /^-?\d+$/.test(a) && /^-?\d+$/.test(b);
  const order = areNumbers ? Number(BigInt(a) - BigInt(b)) : a < b ? -1 : a > b ? 1 : 0;
  switch (operator) {
    case "<":
      return order < 0;
    case "<=":
      return order <= 0;
    case ">":
      return order > 0;
    case ">=":
      return order >= 0;
    case "!=":
      return order !== 0;
    default:
      return order === 0;
  }
}

function match(text: string, pattern: string): string {
  const found = compileRegex(`^${pattern.replace(/^\^/, "")}`, { extended: false }).exec(text);
  if (found !== null && found.length > 1) return found[1] ?? "";
  if (found === null) return /\\\(/.test(pattern) ? "" : "0";
  return String(Array.from(found[0]).length);
}

function index(text: string, chars: string): string {
  return String(Array.from(text).findIndex((char) => chars.includes(char)) + 1);
}

function substring(text: string, from: string, length: string): string {
  const [start, count] = [Number(number(from)), Number(number(length))];
  if (start < 1 || count < 1) return "";
  return Array.from(text)
    .slice(start - 1, start - 1 + count)
    .join("");
}

export const programs = { expr };
