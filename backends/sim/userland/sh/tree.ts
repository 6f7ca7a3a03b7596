/**
 * The shell's own tree: what POSIX (XCU 2) calls commands, words and redirections, after the parser's
 * Bash grammar was reduced to it (lower.ts). Words are lists of segments; all that can be known before
 * running is in them.
 */
export type Segment =
  | { readonly kind: "text"; readonly text: string; readonly quoted: boolean }
  | Parameter
  | ProcessSubstitution
  | { readonly kind: "command"; readonly source: string; readonly line: number; readonly quoted: boolean }
  | { readonly kind: "arithmetic"; readonly text: Word; readonly quoted: boolean };

export interface Parameter {
  readonly kind: "parameter";
  readonly name: string;
  readonly quoted: boolean;
  readonly operation: ParameterOperation | null;
  /** bash's "${a[i]}" and "${!name}". */
  readonly index?: Word;
  readonly indirect?: boolean;
}

/** bash's "<( )" and ">( )". */
export interface ProcessSubstitution {
  readonly kind: "process";
  readonly operator: "<" | ">";
  readonly source: string;
  readonly line: number;
}

export type ParameterOperation =
  | { readonly kind: "length" }
  | {
      readonly kind: "default";
      readonly operator: "-" | "=" | "+" | "?";
      /** A null value counts as unset. */
      readonly colon: boolean;
      readonly operand: Word;
    }
  | { readonly kind: "remove"; readonly operator: "#" | "##" | "%" | "%%"; readonly operand: Word }
  | {
      readonly kind: "replace";
      readonly how: "/" | "//" | "/#" | "/%";
      readonly pattern: Word;
      readonly replacement: Word;
    }
  | { readonly kind: "slice"; readonly offset: Word; readonly length: Word | null }
  /** bash's: case changes, "@Q" and its like, and all names with a prefix. */
  | { readonly kind: "case"; readonly operator: "^" | "^^" | "," | ",,"; readonly pattern: Word | null }
  | { readonly kind: "transform"; readonly letter: string }
  | { readonly kind: "names"; readonly apart: boolean }
  | { readonly kind: "bad" };

export interface Word {
  readonly segments: readonly Segment[];
  /** The text when no expansion of any kind can change it. */
  readonly constant: string | null;
  /** Its source, for `set -x` of patterns and for messages. */
  readonly source: string;
}

export interface Assignment {
  readonly name: string;
  readonly value: Word;
  /** "+=". */
  readonly append: boolean;
  /** bash's "a[i]=x" and "a=(x y [k]=z)". */
  readonly index?: Word;
  readonly elements?: readonly { readonly key: Word | null; readonly words: readonly Word[] }[];
}

export type Redirection =
  | {
      readonly kind: "file";
      readonly operator: "<" | ">" | ">>" | "<>" | ">|";
      readonly fd: number;
      readonly target: Word;
    }
  | { readonly kind: "duplicate"; readonly fd: number; readonly target: Word }
  /** bash's "{name}>file": the descriptor's number is for the variable. */
  | { readonly kind: "named"; readonly name: string; readonly redirection: Redirection }
  | { readonly kind: "here"; readonly fd: number; readonly body: Word }
  /** "&>" and "<<<" and what else dash has not: how it names the word it did not expect. */
  | { readonly kind: "both"; readonly operator: ">" | ">>"; readonly target: Word };

export interface Simple {
  readonly kind: "simple";
  readonly line: number;
  readonly assignments: readonly Assignment[];
  readonly words: readonly Word[];
  readonly redirections: readonly Redirection[];
  /** Arrays among the arguments of bash's `declare` and its like. */
  readonly arrays?: readonly Assignment[];
  /** From the first word to the end, for aliases. */
  readonly source: string;
}

/** What stands in bash's "[[ ]]"; ash has it as a command of plain words. */
export type Condition =
  | { readonly kind: "unary"; readonly operator: string; readonly operand: Word }
  | { readonly kind: "binary"; readonly operator: string; readonly left: Word; readonly right: Word }
  | { readonly kind: "and" | "or"; readonly parts: readonly Condition[] }
  | { readonly kind: "not"; readonly part: Condition; readonly times: number };

/** What bash has beside the others. */
export type ExtendedNode =
  | { readonly kind: "test"; readonly line: number; readonly expression: Condition }
  | { readonly kind: "arithmetic"; readonly line: number; readonly text: Word }
  | {
      readonly kind: "count";
      readonly line: number;
      readonly begin: Word;
      readonly test: Word;
      readonly step: Word;
      readonly body: Node;
    }
  | { readonly kind: "select"; readonly name: string; readonly words: readonly Word[] | null; readonly body: Node }
  | { readonly kind: "timed"; readonly node: Node; readonly posix: boolean };

export type Node =
  | Simple
  | ExtendedNode
  | { readonly kind: "pipeline"; readonly stages: readonly Node[]; readonly negated: boolean; readonly source: string }
  | { readonly kind: "and"; readonly left: Node; readonly right: Node }
  | { readonly kind: "or"; readonly left: Node; readonly right: Node }
  | { readonly kind: "list"; readonly nodes: readonly Node[] }
  | { readonly kind: "background"; readonly node: Node; readonly source: string }
  | { readonly kind: "subshell"; readonly body: Node; readonly source: string }
  | {
      readonly kind: "if";
      readonly clauses: readonly { readonly test: Node; readonly body: Node }[];
      readonly otherwise: Node | null;
    }
  | { readonly kind: "loop"; readonly until: boolean; readonly test: Node; readonly body: Node }
  | { readonly kind: "for"; readonly name: string; readonly words: readonly Word[] | null; readonly body: Node }
  | {
      readonly kind: "case";
      readonly word: Word;
      readonly items: readonly {
        readonly patterns: readonly Word[];
        readonly body: Node;
        /** After ";&" the next body runs too, after ";;&" the next patterns are tried. */
        readonly goesOn?: "body" | "patterns";
      }[];
    }
  | { readonly kind: "function"; readonly name: string; readonly line: number; readonly body: Node }
  | { readonly kind: "redirected"; readonly node: Node; readonly redirections: readonly Redirection[] };
