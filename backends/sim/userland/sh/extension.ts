/**
 * What a shell has beyond the common language, loaded with it: bash's arrays, loops, substitutions and builtins are in
 * bash/. The tree is the same for all shells; nodes, segments and assignments that only bash reads are carried out here.
 */
import type { Run } from "../run.ts";
import type { Builtin } from "./builtin.ts";
import type { Dialect, Speaker } from "./dialect.ts";
import type { Interpreter } from "./interpret.ts";
import type { Assignment, ExtendedNode, Parameter, ProcessSubstitution, Segment } from "./tree.ts";

export interface Extension {
  readonly builtins: ReadonlyMap<string, Builtin>;
  run(interpreter: Interpreter, node: ExtendedNode, flags: number): Run<number>;
  assign(interpreter: Interpreter, assignment: Assignment): Run<string>;
  /** The values of a parameter; null when it is like the other shells'. */
  parameter(interpreter: Interpreter, segment: Parameter): Run<Values | null>;
  /** A file name that stands for a process's output or input. */
  process(interpreter: Interpreter, segment: ProcessSubstitution): Run<string>;
  /** A parameter of the shell's own, "RANDOM"; null for what is none. */
  special(interpreter: Interpreter, name: string): string | null;
  /** An expression as the common shells would write it: other bases, elements of arrays. */
  arithmetic(interpreter: Interpreter, text: string): string;
  /** What a pattern that no file matches becomes. */
  unmatched(text: string): readonly string[];
  readonly showsHidden: boolean;
  /** A message as it is put on standard error. */
  say(speaker: Speaker, message: string): string;
  /** The option letters as `$-` gives them. */
  letters(interpreter: Interpreter): string;
  /** A command's words as `set -x` shows them. */
  traced(words: readonly string[]): string;
  /** A word's segments with its braces expanded: the segments of each word. */
  braces(segments: readonly Segment[]): readonly (readonly Segment[])[];
  /** What the shell knows besides what others do, to be copied for a subshell. */
  forked(): Extension;
}

export interface Values {
  readonly texts: readonly string[];
  /** Each a field of its own, even in quotes. */
  readonly apart: boolean;
}

/** Which language a text is in. */
export interface Language {
  readonly dialect: Dialect;
  readonly extension: Extension | null;
}
