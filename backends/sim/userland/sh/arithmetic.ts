/**
 * Arithmetic expansion (POSIX XCU 2.6.4): C's integer expressions over 64 bits. An expression is
 * compiled once for its text, because loops evaluate the same one again and again.
 */
export interface Numbers {
  /** A variable's value; "" when it has none. */
  get(name: string): string;
  set(name: string, value: string): void;
}

/** What is wrong with an expression, as dash says it. */
export class ArithmeticProblem extends Error {
  override readonly name = "ArithmeticProblem";
}

type Compiled = (numbers: Numbers) => bigint;

const compiled = new Map<string, Compiled>();
const compiledExtended = new Map<string, Compiled>();
const compiledMax = 1024;

/** `extended`: with "**", "++", "--" and ",", which dash has not. */
export function evaluate(text: string, numbers: Numbers, extended = false): bigint {
  const known = extended ? compiledExtended : compiled;
  let expression = known.get(text);
  if (expression === undefined) {
    expression = new Compiler(text, extended).compile();
    if (known.size < compiledMax) known.set(text, expression);
  }
  return expression(numbers);
}

/** A decimal, octal (0…) or hexadecimal (0x…) number, with a sign; null when it is none. */
export function parseInteger(text: string): bigint | null {
  const [, sign, digits] = /^\s*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)\s*$/.exec(text) ?? [];
  if (digits === undefined) return null;
  const value = /^0[0-7]+$/.test(digits) ? BigInt(`0o${digits.slice(1)}`) : BigInt(digits);
  return clamp(sign === "-" ? -value : value);
}

const largest = 2n ** 63n - 1n;

/** What strtoimax(3) makes of a number that is too large. */
function clamp(value: bigint): bigint {
  return value > largest ? largest : value < -largest - 1n ? -largest - 1n : value;
}

/** A number that strtoimax(3) cannot give. */
export function isOutOfRange(text: string): boolean {
  const digits = /^\s*[+-]?(0[xX][0-9a-fA-F]+|\d+)/.exec(text)?.[1];
  return digits !== undefined && digits.length > 18 && BigInt(digits) > largest;
}

function wrap(value: bigint): bigint {
  return BigInt.asIntN(64, value);
}

function valueOf(name: string, numbers: Numbers): bigint {
  const text = numbers.get(name);
  if (text === "") return 0n;
  const value = parseInteger(text);
  if (value === null) throw new ArithmeticProblem(`Illegal number: ${text}`);
  return value;
}

const truth = (value: boolean): bigint => (value ? 1n : 0n);
type Binary = (a: bigint, b: bigint) => bigint;

/** By precedence, the loosest first; "&&" and "||" are apart, since they may leave a side out. */
const levels: readonly Readonly<Record<string, Binary>>[] = [
  { "|": (a, b) => a | b },
  { "^": (a, b) => a ^ b },
  { "&": (a, b) => a & b },
  { "==": (a, b) => truth(a === b), "!=": (a, b) => truth(a !== b) },
  {
    "<": (a, b) => truth(a < b),
    "<=": (a, b) => truth(a <= b),
    ">": (a, b) => truth(a > b),
    ">=": (a, b) => truth(a >= b),
  },
  { "<<": (a, b) => wrap(a << (b & 63n)), ">>": (a, b) => a >> (b & 63n) },
  { "+": (a, b) => wrap(a + b), "-": (a, b) => wrap(a - b) },
  { "*": (a, b) => wrap(a * b), "/": (a, b) => wrap(a / b), "%": (a, b) => a % b },
];
const operators: Readonly<Record<string, Binary>> = Object.assign({}, ...levels);
const tokens =
  /\s*(?:(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)|([A-Za-z_]\w*)|(<<=|>>=|[-+*/%&|^]=|<<|>>|&&|\|\||[<>=!]=|[-+*/%&|^~!<>=?:()]))/y;
const extendedTokens =
  /\s*(?:(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)|([A-Za-z_]\w*)|(<<=|>>=|\*\*|\+\+|--|[-+*/%&|^]=|<<|>>|&&|\|\||[<>=!]=|[-+*/%&|^~!<>=?:(),]))/y;

class Compiler {
  readonly #text: string;
  readonly #tokens: string[] = [];
  #at = 0;

  constructor(text: string, extended: boolean) {
    this.#text = text;
    const pattern = extended ? extendedTokens : tokens;
    pattern.lastIndex = 0;
    let end = 0;
    for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
      this.#tokens.push(match[0].trim());
      end = pattern.lastIndex;
    }
    if (text.slice(end).trim() !== "") this.#tokens.push(text.slice(end).trim());
  }

  compile(): Compiled {
    if (this.#tokens.length === 0) return () => 0n;
    let whole = this.#assignment();
    while (this.#take(",")) {
      const [first, second] = [whole, this.#assignment()];
      whole = (numbers) => {
        first(numbers);
        return second(numbers);
      };
    }
    if (this.#at < this.#tokens.length) throw this.#problem("expecting EOF");
    return whole;
  }

  #problem(what: string): ArithmeticProblem {
    return new ArithmeticProblem(`arithmetic expression: ${what}: "${this.#text}"`);
  }

  #peek(): string {
    return this.#tokens[this.#at] ?? "";
  }

  #take(token: string): boolean {
    if (this.#peek() !== token) return false;
    this.#at++;
    return true;
  }

  #assignment(): Compiled {
    const name = this.#peek();
    const operator = this.#tokens[this.#at + 1] ?? "";
    if (!/^[A-Za-z_]/.test(name) || !/^(?:[-+*/%&|^]|<<|>>)?=$/.test(operator)) return this.#conditional();
    this.#at += 2;
    const value = this.#assignment();
    const change = operators[operator.slice(0, -1)];
    return (numbers) => {
      const right = value(numbers);
      const result = change === undefined ? right : this.#apply(change, operator, valueOf(name, numbers), right);
      numbers.set(name, String(result));
      return result;
    };
  }

  #conditional(): Compiled {
    const test = this.#or();
    if (!this.#take("?")) return test;
    const then = this.#assignment();
    if (!this.#take(":")) throw this.#problem("expecting ':'");
    const otherwise = this.#conditional();
    return (numbers) => (test(numbers) !== 0n ? then(numbers) : otherwise(numbers));
  }

  #or(): Compiled {
    let left = this.#and();
    while (this.#take("||")) {
      const [a, b] = [left, this.#and()];
      left = (numbers) => truth(a(numbers) !== 0n || b(numbers) !== 0n);
    }
    return left;
  }

  #and(): Compiled {
    let left = this.#binary(0);
    while (this.#take("&&")) {
      const [a, b] = [left, this.#binary(0)];
      left = (numbers) => truth(a(numbers) !== 0n && b(numbers) !== 0n);
    }
    return left;
  }

  #binary(level: number): Compiled {
    const table = levels[level];
    if (table === undefined) return this.#unary();
    let left = this.#binary(level + 1);
    for (let operator = this.#peek(); Object.hasOwn(table, operator); operator = this.#peek()) {
      this.#at++;
      left = this.#operation(operator, table[operator] ?? ((a) => a), left, this.#binary(level + 1));
    }
    return left;
  }

  #operation(operator: string, apply: Binary, a: Compiled, b: Compiled): Compiled {
    if (operator !== "/" && operator !== "%") return (numbers) => apply(a(numbers), b(numbers));
    return (numbers) => this.#apply(apply, operator, a(numbers), b(numbers));
  }

  #apply(apply: Binary, operator: string, a: bigint, b: bigint): bigint {
    if (b === 0n && /^[/%]/.test(operator)) throw this.#problem("division by zero");
    return apply(a, b);
  }

  #unary(): Compiled {
    if (this.#peek() === "++" || this.#peek() === "--") return this.#stepBefore();
    if (this.#take("-")) return negated(this.#unary(), (value) => wrap(-value));
    if (this.#take("+")) return this.#unary();
    if (this.#take("!")) return negated(this.#unary(), (value) => truth(value === 0n));
    if (this.#take("~")) return negated(this.#unary(), (value) => ~value);
    const base = this.#primary();
    if (!this.#take("**")) return base;
    const exponent = this.#unary();
    return (numbers) => wrap(base(numbers) ** exponent(numbers));
  }

  /** "++x". */
  #stepBefore(): Compiled {
    const by = this.#peek() === "++" ? 1n : -1n;
    const name = this.#tokens[this.#at + 1] ?? "";
    if (!/^[A-Za-z_]/.test(name)) throw this.#problem("expecting primary");
    this.#at += 2;
    return (numbers) => {
      const value = wrap(valueOf(name, numbers) + by);
      numbers.set(name, String(value));
      return value;
    };
  }

  /** "x++". */
  #stepAfter(name: string): Compiled {
    const by = this.#take("++") ? 1n : this.#take("--") ? -1n : 0n;
    if (by === 0n) return (numbers) => valueOf(name, numbers);
    return (numbers) => {
      const value = valueOf(name, numbers);
      numbers.set(name, String(wrap(value + by)));
      return value;
    };
  }

  #primary(): Compiled {
    const token = this.#peek();
    if (this.#take("(")) {
      const inside = this.#assignment();
      if (!this.#take(")")) throw this.#problem("expecting ')'");
      return inside;
    }
    this.#at++;
    if (/^[A-Za-z_]/.test(token)) return this.#stepAfter(token);
    const value = /^\d/.test(token) ? parseInteger(token) : null;
    if (value === null) throw this.#problem("expecting primary");
    return () => value;
  }
}

function negated(operand: Compiled, apply: (value: bigint) => bigint): Compiled {
  return (numbers) => apply(operand(numbers));
}
