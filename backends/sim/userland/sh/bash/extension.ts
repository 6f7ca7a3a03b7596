/** bash's part of the shell (../extension.ts says where the interpreter asks for it). */
import { Errno } from "../../../../../core/base/errno.ts";
import { type Run } from "../../run.ts";
import type { Builtin } from "../builtin.ts";
import type { Speaker } from "../dialect.ts";
import type { Extension, Values } from "../extension.ts";
import type { Interpreter } from "../interpret.ts";
import { ShellError } from "../shell.ts";
import type { Assignment, Condition, ExtendedNode, Parameter, ProcessSubstitution, Segment } from "../tree.ts";
import { assign, elementsOf, listArray } from "./arrays.ts";
import { expandBraces } from "./braces.ts";
import { bashBuiltins } from "./builtins.ts";
import { meets } from "./condition.ts";
import { count, select, timed } from "./loops.ts";
import { quoteForReuse, valuesOf } from "./parameters.ts";
import { guarded } from "./running.ts";
import { sayInBash } from "./words.ts";

const version = "5.2.15(1)-release";

export class Bash implements Extension {
  readonly builtins: ReadonlyMap<string, Builtin> = bashBuiltins;
  /** Options of `shopt` that are on. */
  readonly shopts: Set<string>;
  /** Directories of pushd, the top last. */
  readonly directories: string[];

  constructor(from?: Bash) {
    this.shopts = new Set(from?.shopts);
    this.directories = [...(from?.directories ?? [])];
  }

  forked(): Bash {
    return new Bash(this);
  }

  *run(interpreter: Interpreter, node: ExtendedNode, flags: number): Run<number> {
    const { shell, expander } = interpreter;
    switch (node.kind) {
      case "test":
        shell.line = node.line;
        return yield* guarded(interpreter, "[[", () => this.#holds(interpreter, node.expression));
      case "arithmetic":
        shell.line = node.line;
        return yield* guarded(interpreter, "((", function* () {
          return (yield* expander.arithmetic(node.text)) === "0" ? 1 : 0;
        });
      case "count":
        return yield* count(interpreter, node, flags);
      case "select":
        return yield* select(interpreter, node, flags);
      case "timed":
        return yield* timed(interpreter, node, flags);
    }
  }

  *#holds(interpreter: Interpreter, condition: Condition): Run<number> {
    return (yield* meets(interpreter, condition, this.shopts.has("nocasematch"))) ? 0 : 1;
  }

  get showsHidden(): boolean {
    return this.shopts.has("dotglob");
  }

  unmatched(text: string): readonly string[] {
    if (this.shopts.has("failglob")) throw new ShellError(`no match: ${text}`, 1);
    return this.shopts.has("nullglob") ? [] : [text];
  }

  /** "16#ff" is a number of another base, "a[i]" an element; quotes mean nothing. */
  arithmetic({ shell: { variables } }: Interpreter, text: string): string {
    return text
      .replaceAll('"', "")
      .replace(/\b(\d+)#([0-9A-Za-z@_]+)/g, (_, base: string, digits: string) => String(inBase(Number(base), digits)))
      .replace(/([A-Za-z_]\w*)\[([^\]]*)\]/g, (_, name: string, key: string) => {
        const place =
          variables.find(name)?.associative === true || /^\d+$/.test(key) ? key : (variables.get(key) ?? "0");
        return elementsOf(variables, name).find(([each]) => each === place)?.[1] ?? "0";
      });
  }

  say(speaker: Speaker, message: string): string {
    return sayInBash(speaker, message);
  }

  letters({ shell }: Interpreter): string {
    const set = shell
      .optionLetters()
      .split("")
      .filter((letter) => !/[PsC]/.test(letter));
    const upper = ["B", ...(shell.options.has("C") ? ["C"] : [])].join("");
    return (
      [...set, "h"].sort().join("") + upper + (shell.input === "command" ? "c" : shell.input === "stream" ? "s" : "")
    );
  }

  traced(words: readonly string[]): string {
    return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : quoteForReuse(word))).join(" ");
  }

  assign(interpreter: Interpreter, assignment: Assignment): Run<string> {
    return assign(interpreter, assignment);
  }

  parameter(interpreter: Interpreter, segment: Parameter): Run<Values | null> {
    this.#refresh(interpreter, segment.name);
    return valuesOf(interpreter, segment);
  }

  /** Arrays that the shell keeps: made when somebody looks. */
  #refresh({ shell }: Interpreter, name: string): void {
    if (name === "PIPESTATUS") listArray(shell.variables, name, shell.pipeline.map(String));
    if (name === "FUNCNAME") listArray(shell.variables, name, shell.calls.toReversed());
    if (name === "BASH_VERSINFO")
      listArray(shell.variables, name, ["5", "2", "15", "1", "release", "x86_64-pc-linux-gnu"]);
    if (name === "DIRSTACK")
      listArray(shell.variables, name, [shell.variables.get("PWD") ?? "", ...this.directories.toReversed()]);
    if (name === "GROUPS") listArray(shell.variables, name, [String(shell.sys.credentials().gid)]);
  }

  special({ shell }: Interpreter, name: string): string | null {
    switch (name) {
      case "BASH":
        return "/bin/bash";
      case "BASH_VERSION":
        return version;
      case "BASHPID":
        return String(shell.sys.pid);
      case "EUID":
      case "UID":
        return String(shell.sys.credentials().uid);
      case "HOSTNAME":
        return shell.sys.hostname();
      case "HOSTTYPE":
        return "x86_64";
      case "OSTYPE":
        return "linux-gnu";
      case "MACHTYPE":
        return "x86_64-pc-linux-gnu";
      case "SECONDS":
        return String(shell.sys.monotonic() / 1_000_000_000n);
      case "SHLVL":
        return "1";
      default:
        return null;
    }
  }

  braces(segments: readonly Segment[]): Segment[][] {
    return expandBraces(segments);
  }

  *process(interpreter: Interpreter, { operator, source, line }: ProcessSubstitution): Run<string> {
    yield* [];
    const { sys } = interpreter.shell;
    const pipe = sys.pipe();
    const [ours, theirs] = operator === "<" ? [pipe.read, pipe.write] : [pipe.write, pipe.read];
    interpreter.forkAside(function* (child) {
      child.shell.sys.close(ours);
      child.shell.sys.duplicate(theirs, operator === "<" ? 1 : 0);
      child.shell.sys.close(theirs);
      return yield* child.source(source, line, 0);
    });
    sys.close(theirs);
    const fd = highFd(interpreter);
    sys.duplicate(ours, fd);
    sys.close(ours);
    interpreter.shell.lent.push(fd);
    return `/dev/fd/${fd}`;
  }
}

function inBase(base: number, digits: string): bigint {
  const alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ@_";
  const folded = base <= 36 ? digits.toLowerCase() : digits;
  return Array.from(folded).reduce((sum, digit) => sum * BigInt(base) + BigInt(alphabet.indexOf(digit)), 0n);
}

/** As bash does, downwards from 63. */
function highFd({ shell: { sys } }: Interpreter): number {
  for (let fd = 63; fd > 9; fd--) {
    try {
      sys.statFd(fd);
    } catch (thrown) {
      if (thrown instanceof Errno) return fd;
      throw thrown;
    }
  }
  throw new ShellError("too many open files", 1);
}
