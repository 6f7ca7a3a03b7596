/** awk's program as a tree (POSIX XCU awk, "Grammar"). */
export type Expression =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "regex"; readonly regex: RegExp }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "field"; readonly index: Expression }
  | { readonly kind: "element"; readonly name: string; readonly keys: readonly Expression[] }
  | { readonly kind: "in"; readonly name: string; readonly keys: readonly Expression[] }
  | { readonly kind: "assign"; readonly operator: string; readonly target: Target; readonly value: Expression }
  | { readonly kind: "step"; readonly target: Target; readonly by: 1 | -1; readonly prefix: boolean }
  | {
      readonly kind: "conditional";
      readonly test: Expression;
      readonly yes: Expression;
      readonly otherwise: Expression;
    }
  | { readonly kind: "binary"; readonly operator: string; readonly left: Expression; readonly right: Expression }
  | { readonly kind: "unary"; readonly operator: string; readonly operand: Expression }
  | { readonly kind: "match"; readonly negated: boolean; readonly text: Expression; readonly pattern: Expression }
  | { readonly kind: "call"; readonly name: string; readonly args: readonly Expression[] }
  | { readonly kind: "builtin"; readonly name: string; readonly args: readonly Expression[] }
  | {
      readonly kind: "getline";
      readonly target: Target | null;
      readonly from: "main" | "file" | "command";
      readonly source: Expression | null;
    }
  | { readonly kind: "group"; readonly parts: readonly Expression[] };

/** What can be assigned to. */
export type Target = Extract<Expression, { kind: "variable" | "field" | "element" }>;

export type Statement =
  | { readonly kind: "block"; readonly body: readonly Statement[] }
  | { readonly kind: "expression"; readonly value: Expression }
  | {
      readonly kind: "print";
      readonly formatted: boolean;
      readonly args: readonly Expression[];
      readonly to: Redirect | null;
    }
  | { readonly kind: "if"; readonly test: Expression; readonly yes: Statement; readonly otherwise: Statement | null }
  | { readonly kind: "while"; readonly test: Expression; readonly body: Statement; readonly after: boolean }
  | {
      readonly kind: "for";
      readonly begin: Statement | null;
      readonly test: Expression | null;
      readonly step: Statement | null;
      readonly body: Statement;
    }
  | { readonly kind: "each"; readonly variable: string; readonly array: string; readonly body: Statement }
  | { readonly kind: "delete"; readonly name: string; readonly keys: readonly Expression[] | null }
  | { readonly kind: "leave"; readonly how: "break" | "continue" | "next" | "nextfile" }
  | { readonly kind: "exit" | "return"; readonly value: Expression | null };

export interface Redirect {
  readonly operator: ">" | ">>" | "|";
  readonly target: Expression;
}

export interface Rule {
  readonly when: "begin" | "end" | "always" | { readonly first: Expression; readonly last: Expression | null };
  readonly body: Statement | null;
}

export interface AwkFunction {
  readonly parameters: readonly string[];
  readonly body: Statement;
}

export interface AwkProgram {
  readonly rules: readonly Rule[];
  readonly functions: ReadonlyMap<string, AwkFunction>;
}
