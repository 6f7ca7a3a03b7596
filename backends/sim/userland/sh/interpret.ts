/**
 * The interpreter: runs a tree for a Shell. Every stage of a pipeline, every subshell and every program
 * is a process of its own, forked with a copy of the shell's state; a simple command in such a child
 * is executed right there.
 */
import { concat, decodeBytes } from "../../../../core/base/bytes.ts";
import { Errno, errnoText } from "../../../../core/base/errno.ts";
import type { Fd, Pid, SpawnOptions, Sys, WaitStatus } from "../../kernel/sys.ts";
import { matchesPattern } from "../pattern.ts";
import { SIGINT, SIGQUIT } from "../signals.ts";
import type { Builtin } from "./builtin.ts";
import { findProgram } from "./builtins-control.ts";
import { assigning, builtins, extensions, specials } from "./builtins.ts";
import { redirectionStatus } from "./dialect.ts";
import { Expander } from "./expand.ts";
import { codeOf, deathText, type Job, stateOf, statusOf } from "./jobs.ts";
import { parseScript, SyntaxProblem } from "./lower.ts";
import { closeQuietly, redirect, restore, type Saved } from "./redirect.ts";
import { drive, type Run, settled } from "../run.ts";
import { Exit, type Shell, ShellError, type ShellFunction } from "./shell.ts";
import type { Assignment, ExtendedNode, Node, Redirection, Simple, Word } from "./tree.ts";
import { ReadOnly } from "./variables.ts";

/** Its failure does not end the shell under `set -e`. */
export const tested = 1;
/** Nothing comes after it: a program may replace the shell. */
export const exiting = 2;

const chunkBytes = 65536;
const depthMax = 1000;

/** Where a stage stands in its pipeline. */
interface Place {
  readonly from: Fd | null;
  readonly pipe: { readonly read: Fd; readonly write: Fd } | null;
  /** Standard input stays what it is. */
  readonly keepsInput: boolean;
  readonly flags: number;
}

/** ^C in an interactive shell: back to the prompt. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

export class Interpreter {
  readonly shell: Shell;
  readonly expander: Expander;
  /** The status of the last command substitution of this command. */
  #substituted = 0;

  constructor(shell: Shell) {
    this.shell = shell;
    this.expander = new Expander(shell, this);
  }

  builtin(name: string): Builtin | undefined {
    const own =
      this.shell.extension?.builtins.get(name) ?? (this.shell.dialect === "dash" ? undefined : extensions.get(name));
    return own ?? specials.get(name) ?? builtins.get(name);
  }

  isSpecial(name: string): boolean {
    return specials.has(name);
  }

  // Scripts

  /** Runs source text. A syntax error is said as a ShellError once what stands before it has run. */
  *source(text: string, firstLine: number, flags: number): Run<number> {
    const { statements, problem } = parseScript(text, firstLine, this.shell);
    return yield* this.statements(statements, problem, flags);
  }

  *statements(statements: Iterable<Node>, problem: SyntaxProblem | null, flags: number): Run<number> {
    let previous: Node | null = null;
    for (const node of statements) {
      if (previous !== null) yield* this.#statement(previous, flags & ~exiting);
      if (this.shell.skip !== null) return this.shell.status;
      previous = node;
    }
    if (previous === null) this.shell.status = 0;
    else yield* this.#statement(previous, problem === null ? flags : flags & ~exiting);
    if (problem !== null && this.shell.skip === null) throw problem;
    return this.shell.status;
  }

  *#statement(node: Node, flags: number): Run<void> {
    if (this.shell.options.has("n") && !this.shell.interactive) return;
    yield* this.run(node, flags);
  }

  /** What ends a shell or a subshell: its errors are said, its EXIT trap runs. Gives the exit status. */
  *toEnd(body: () => Run<number>): Run<number> {
    let status = yield* this.#caught(body);
    const action = this.shell.traps.takeExit();
    if (action !== "") {
      this.shell.status = status;
      this.shell.skip = null;
      const kept = status;
      const trapped = yield* this.#caught(() => this.source(action, 1, 0));
      // With `set -e` what a `return` gives is a failure like others.
      const failed = this.#leavesFunction() && this.shell.options.has("e") && trapped !== 0;
      status = this.#exited || failed ? trapped : kept;
    }
    return status & 255;
  }

  #leavesFunction(): boolean {
    return this.shell.skip?.kind === "return";
  }

  #exited = false;

  *#caught(body: () => Run<number>): Run<number> {
    this.#exited = false;
    try {
      return yield* body();
    } catch (thrown) {
      this.#exited = true;
      if (thrown instanceof Exit) return thrown.status;
      return yield* this.report(thrown);
    }
  }

  /** Says what went wrong, on standard error. Gives the status; throws on what is no shell's error. */
  *report(thrown: unknown): Run<number> {
    const { shell } = this;
    if (thrown instanceof SyntaxProblem) {
      shell.line = thrown.line;
      shell.functionLine = 0;
      yield* shell.complain(thrown.message, thrown.source);
      return 2;
    }
    if (thrown instanceof RangeError) {
      yield* shell.complain(thrown.message.includes("stack") ? "nested too deeply" : "out of memory");
      return 2;
    }
    if (!(thrown instanceof ShellError) && !(thrown instanceof ReadOnly) && !(thrown instanceof Errno)) throw thrown;
    const message = thrown instanceof Errno ? errnoText(thrown.errno) : thrown.message;
    if (message !== "") yield* shell.complain(message);
    return thrown instanceof ShellError ? thrown.status : shell.extension === null ? 2 : 1;
  }

  // Nodes

  *run(node: Node, flags: number): Run<number> {
    switch (node.kind) {
      case "simple":
        return yield* this.#simple(node, flags);
      case "arithmetic":
        if (this.shell.extension === null) {
          this.shell.line = node.line;
          return this.#check((yield* this.expander.arithmetic(node.text)) === "0" ? 1 : 0, flags);
        }
        return this.#check(yield* this.#extended(node, flags), flags);
      case "test":
      case "count":
      case "select":
      case "timed":
        return this.#check(yield* this.#extended(node, flags), flags);
      case "list":
        return yield* this.#list(node.nodes, flags);
      case "and":
      case "or": {
        const left = yield* this.run(node.left, tested);
        if (this.shell.skip !== null || (left === 0) !== (node.kind === "and")) return left;
        return yield* this.run(node.right, flags);
      }
      case "pipeline":
        return yield* this.#pipelineNode(node, flags);
      case "background":
        return this.#background(node.node, node.source);
      case "subshell":
        return yield* this.#subshell(node, flags);
      case "if":
        return yield* this.#if(node, flags);
      case "loop":
        return yield* this.#loop(node, flags);
      case "for":
        return yield* this.#for(node, flags);
      case "case":
        return yield* this.#case(node, flags);
      case "function":
        this.shell.functions.set(node.name, { body: node.body, line: node.line });
        return (this.shell.status = 0);
      case "redirected":
        return yield* this.#redirected(node, flags);
    }
  }

  /** Only a shell with an extension reads such nodes. */
  #extended(node: ExtendedNode, flags: number): Run<number> {
    const { extension } = this.shell;
    if (extension === null) throw new SyntaxProblem("Syntax error: word unexpected", this.shell.line, false);
    return extension.run(this, node, flags);
  }

  *#list(nodes: readonly Node[], flags: number): Run<number> {
    for (const [index, node] of nodes.entries()) {
      yield* this.run(node, index === nodes.length - 1 ? flags : flags & ~exiting);
      if (this.shell.skip !== null) break;
    }
    return this.shell.status;
  }

  *#if(node: Extract<Node, { kind: "if" }>, flags: number): Run<number> {
    for (const { test, body } of node.clauses) {
      const status = yield* this.run(test, tested);
      if (this.shell.skip !== null) return this.shell.status;
      if (status === 0) return yield* this.run(body, flags);
    }
    if (node.otherwise !== null) return yield* this.run(node.otherwise, flags);
    return (this.shell.status = 0);
  }

  *#loop(node: Extract<Node, { kind: "loop" }>, flags: number): Run<number> {
    let status = 0;
    this.shell.loops++;
    for (;;) {
      const test = yield* this.run(node.test, tested);
      if (this.shell.skip === null && (test === 0) === node.until) break;
      if (this.shell.skip === null) status = yield* this.run(node.body, flags & tested);
      if (this.leaves()) break;
    }
    this.shell.loops--;
    return (this.shell.status = this.shell.skip === null ? status : this.shell.status);
  }

  *#for(node: Extract<Node, { kind: "for" }>, flags: number): Run<number> {
    const { shell } = this;
    const values = node.words === null ? shell.positional : yield* this.expander.fields(node.words);
    let status = 0;
    shell.loops++;
    for (const value of values) {
      shell.variables.set(node.name, value);
      status = yield* this.run(node.body, flags & tested);
      if (this.leaves()) break;
    }
    shell.loops--;
    return (shell.status = shell.skip === null ? status : shell.status);
  }

  /** Whether the running loop ends here: a `break`, or something that is to leave more than this loop. */
  leaves(): boolean {
    const { skip } = this.shell;
    if (skip === null) return false;
    if (skip.kind === "return") return true;
    skip.count--;
    if (skip.count > 0) return true;
    this.shell.skip = null;
    return skip.kind === "break";
  }

  *#case(node: Extract<Node, { kind: "case" }>, flags: number): Run<number> {
    const text = yield* this.expander.text(node.word);
    this.shell.status = 0;
    let falls = false;
    for (const { patterns, body, goesOn } of node.items) {
      if (!falls && !(yield* this.#matchesOne(text, patterns))) continue;
      if (body.kind !== "list" || body.nodes.length > 0) yield* this.run(body, flags);
      if (goesOn === undefined || this.shell.skip !== null) break;
      falls = goesOn === "body";
    }
    return this.shell.status;
  }

  *#matchesOne(text: string, patterns: readonly Word[]): Run<boolean> {
    for (const pattern of patterns) if (matchesPattern(text, yield* this.expander.pattern(pattern))) return true;
    return false;
  }

  *#redirected(node: Extract<Node, { kind: "redirected" }>, flags: number): Run<number> {
    const saved: Saved[] = [];
    const inside = function* (interpreter: Interpreter): Run<number> {
      return yield* interpreter.run(node.node, flags & ~exiting);
    };
    const status = yield* this.#withRedirections(node.redirections, saved, () => inside(this));
    return this.#check(status, flags);
  }

  /** A failed redirection is said, and is the command's failure. */
  *#withRedirections(redirections: readonly Redirection[], saved: Saved[], body: () => Run<number>): Run<number> {
    try {
      yield* redirect(this.shell, this.expander, redirections, saved);
    } catch (thrown) {
      if (!(thrown instanceof ShellError) || thrown.fatal) throw thrown;
      restore(this.shell.sys, saved.splice(0));
      yield* this.shell.complain(thrown.message);
      return (this.shell.status = redirectionStatus(this.shell.dialect));
    }
    try {
      return yield* body();
    } finally {
      restore(this.shell.sys, saved);
    }
  }

  /** A child that nobody waits for. */
  forkAside(body: (child: Interpreter) => Run<number>): void {
    this.#fork(null, false, body);
  }

  /** `set -e`: a failure that nobody tests ends the shell. */
  #check(status: number, flags: number): number {
    const { options, skip } = this.shell;
    this.shell.status = status;
    this.shell.pipeline = [status];
    if (status !== 0 && options.has("e") && (flags & tested) === 0 && skip === null) throw new Exit(status);
    return status;
  }

  // Simple commands

  *#simple(node: Simple, flags: number): Run<number> {
    const { shell } = this;
    shell.line = node.line;
    if (shell.owes()) yield* shell.pay();
    if (shell.traps.waiting) yield* this.signals();
    if (shell.skip !== null) return shell.status;
    const aliased = this.#aliased(node);
    if (aliased !== null) return yield* this.run(aliased, flags);
    this.#substituted = 0;
    const words = yield* this.#words(node.words);
    if (words.length === 0) return this.#check(yield* this.#assignOnly(node), flags);
    if (shell.options.has("x")) yield* this.#trace(node.assignments, words);
    const status = yield* this.#dispatch(node, words, flags);
    shell.status = status;
    for (const fd of shell.lent.splice(0)) closeQuietly(shell.sys, fd);
    if (shell.traps.waiting) yield* this.signals();
    if (status !== 0 && shell.onError !== "" && (flags & tested) === 0) yield* this.#onError(status);
    return this.#check(shell.skip === null ? status : shell.status, flags);
  }

  /** bash's trap on ERR. */
  *#onError(status: number): Run<void> {
    const { shell } = this;
    const action = shell.onError;
    shell.onError = "";
    yield* this.source(action, shell.line, tested);
    shell.onError = action;
    shell.status = status;
  }

  /** Of `export a=$b` and its like the values are not split. */
  *#words(words: readonly Word[]): Run<string[]> {
    const name = words[0]?.constant ?? "";
    if (!assigning.has(name)) return yield* this.expander.fields(words);
    const all: string[] = [];
    for (const word of words) {
      if (/^[A-Za-z_]\w*=/.test(word.source)) all.push(yield* this.expander.text(word));
      else all.push(...(yield* this.expander.fields([word])));
    }
    return all;
  }

  *#assignOnly(node: Simple): Run<number> {
    if (node.redirections.length > 0) {
      const failed = yield* this.#withRedirections(node.redirections, [], () => nothing());
      if (failed !== 0) return failed;
    }
    yield* this.#assign(node.assignments, this.shell.options.has("x"));
    return this.#substituted;
  }

  *#assign(assignments: readonly Assignment[], traces = false): Run<void> {
    const traced: string[] = [];
    const { extension, variables } = this.shell;
    for (const assignment of assignments) {
      const { name, value } = assignment;
      const text = extension === null ? yield* this.expander.text(value) : yield* extension.assign(this, assignment);
      if (extension === null) variables.set(name, text);
      traced.push(`${name}=${text}`);
    }
    if (!traces) return;
    for (const text of this.shell.dialect === "bash" ? traced : [traced.join(" ")]) yield* this.#traceText(text);
  }

  *#trace(assignments: readonly Assignment[], words: readonly string[]): Run<void> {
    const texts: string[] = [];
    for (const { name, value } of assignments) texts.push(`${name}=${yield* this.expander.text(value)}`);
    yield* this.#traceText([...texts, this.shell.extension?.traced(words) ?? words.join(" ")].join(" "));
  }

  *#traceText(text: string): Run<void> {
    const { shell } = this;
    shell.options.delete("x");
    const prompt = yield* this.prompt(shell.variables.get("PS4") ?? "");
    shell.options.add("x");
    yield* shell.print(2, `${prompt}${text}\n`);
  }

  /** A prompt, with its parameters expanded. */
  *prompt(text: string): Run<string> {
    if (!/[$`\\]/.test(text)) return text;
    const { statements } = parseScript(`x <<TSBOX_PROMPT\n${text}\nTSBOX_PROMPT\n`, 1, this.shell);
    for (const node of statements) {
      const here = node.kind === "simple" ? node.redirections[0] : undefined;
      if (here?.kind === "here") return (yield* this.expander.text(here.body)).replace(/\n$/, "");
    }
    return text;
  }

  #aliased(node: Simple): Node | null {
    const { aliases } = this.shell;
    const [first] = node.words;
    if (aliases.size === 0 || first?.constant == null || first.source !== first.constant) return null;
    const text = expandAlias(aliases, node.source);
    if (text === null) return null;
    const [only, ...more] = [...parseScript(text, node.line, this.shell).statements];
    const inner: Node =
      only !== undefined && more.length === 0
        ? only
        : { kind: "list", nodes: only === undefined ? [] : [only, ...more] };
    const assigned = node.assignments;
    if (inner.kind !== "simple" || assigned.length === 0) return stripAlias(inner);
    return stripAlias({ ...inner, assignments: [...assigned, ...inner.assignments] });
  }

  *#dispatch(node: Simple, given: readonly string[], flags: number): Run<number> {
    const { shell } = this;
    let words = given;
    let viaCommand = false;
    while (words[0] === "command" && words.length > 1 && !/^-[vVp]/.test(words[1] ?? "")) {
      words = words.slice(words[1] === "--" ? 2 : 1);
      viaCommand = true;
    }
    const name = words[0] ?? "command";
    const special = shell.dialect === "bash" ? undefined : specials.get(name);
    const found = viaCommand || special !== undefined ? undefined : shell.functions.get(name);
    if (found !== undefined) return yield* this.#function(found, words, node, flags);
    const builtin = special ?? this.builtin(name);
    if (builtin === undefined) return yield* this.#program(words, node, flags);
    return yield* this.#builtin(name, words.slice(1), node, special !== undefined && !viaCommand, flags);
  }

  *#builtin(name: string, args: readonly string[], node: Simple, isSpecial: boolean, flags: number): Run<number> {
    const { shell } = this;
    const forGood = name === "exec" ? null : [];
    const saved: Saved[] | null = forGood;
    const outer = shell.command;
    try {
      if (node.redirections.length > 0) yield* this.#redirectBuiltin(node.redirections, saved);
      const kept =
        isSpecial || node.assignments.length === 0
          ? null
          : shell.variables.save(node.assignments.map((each) => each.name));
      if (node.assignments.length > 0) yield* this.#assign(node.assignments);
      shell.command = name;
      const result = this.builtin(name)?.(this, args, flags) ?? 0;
      const status = typeof result === "number" ? result : yield* result;
      if (kept !== null) shell.variables.restore(kept);
      if (node.arrays !== undefined) yield* this.#assign(node.arrays);
      return status;
    } catch (thrown) {
      if (!isSaid(thrown) || (thrown instanceof ShellError && thrown.fatal)) throw thrown;
      const status = yield* this.report(thrown);
      if (isSpecial) throw new ShellError("", status);
      return status;
    } finally {
      shell.command = outer;
      if (saved !== null && saved.length > 0) restore(shell.sys, saved);
    }
  }

  *#redirectBuiltin(redirections: readonly Redirection[], saved: Saved[] | null): Run<void> {
    try {
      yield* redirect(this.shell, this.expander, redirections, saved);
    } catch (thrown) {
      if (!(thrown instanceof ShellError) || thrown.fatal) throw thrown;
      throw new ShellError(thrown.message, redirectionStatus(this.shell.dialect));
    }
  }

  *#function(found: ShellFunction, words: readonly string[], node: Simple, flags: number): Run<number> {
    const { shell } = this;
    if (shell.depth >= depthMax)
      throw new ShellError(`${words[0] ?? ""}: functions call each other more than ${depthMax} deep`);
    const call = (): Run<number> => this.#call(found, words, node, flags);
    if (node.redirections.length === 0) return yield* call();
    return yield* this.#withRedirections(node.redirections, [], call);
  }

  *#call(found: ShellFunction, words: readonly string[], node: Simple, flags: number): Run<number> {
    const { shell } = this;
    const { positional, loops, functionLine } = shell;
    const kept = shell.variables.save(node.assignments.map((each) => each.name));
    yield* this.#assign(node.assignments);
    for (const { name } of node.assignments) shell.variables.mark(name, { exported: true });
    shell.positional = words.slice(1);
    shell.loops = 0;
    shell.functionLine = found.line;
    shell.depth++;
    shell.calls.push(words[0] ?? "");
    shell.variables.enterFunction();
    try {
      yield* this.run(found.body, flags & tested);
      if (shell.skip?.kind === "return") shell.skip = null;
      return shell.status;
    } finally {
      shell.variables.leaveFunction();
      if (kept.size > 0) shell.variables.restore(kept);
      shell.depth--;
      shell.calls.pop();
      Object.assign(shell, { positional, loops, functionLine });
    }
  }

  // Programs

  *#program(words: readonly string[], node: Simple, flags: number): Run<number> {
    if ((flags & exiting) !== 0 && this.shell.traps.list().length === 0 && !this.shell.monitors) {
      yield* this.#become(words, node);
    }
    return yield* this.#withRedirections(node.redirections, [], () => this.#runProgram(words, node));
  }

  *#runProgram(words: readonly string[], node: Simple): Run<number> {
    if (!node.assignments.some(({ name }) => name === "PATH")) this.#remember(words[0] ?? "");
    const job = this.shell.jobs.add(node.source, this.shell.monitors);
    this.#fork(job, true, (child) => child.#become(words, { ...node, redirections: [] }));
    return yield* this.#foreground(job);
  }

  /** Where the command is, so that it need not be looked for again. */
  #remember(name: string): void {
    const { hashed, functions } = this.shell;
    if (name.includes("/") || hashed.has(name) || functions.has(name) || this.builtin(name) !== undefined) return;
    const path = findProgram(this, name);
    if (path !== null) hashed.set(name, path);
  }

  /** This process becomes the program. */
  *#become(words: readonly string[], node: Simple): Run<number> {
    const { shell } = this;
    yield* redirect(shell, this.expander, node.redirections, null);
    for (const { name, value } of node.assignments) {
      shell.variables.set(name, yield* this.expander.text(value));
      shell.variables.mark(name, { exported: true });
    }
    return yield* this.execute(words);
  }

  /** exec(3) with the shell's PATH. Throws ShellError 126 or 127. */
  *execute(words: readonly string[]): Run<never> {
    const { sys, variables } = this.shell;
    const name = words[0] ?? "";
    const environment = variables.environment();
    let reason: Errno["errno"] = "ENOENT";
    const known = this.shell.hashed.get(name);
    for (const path of known === undefined ? this.candidates(name) : [known]) {
      try {
        yield* settled(sys.exec(path, words, environment));
      } catch (thrown) {
        if (!(thrown instanceof Errno)) throw thrown;
        if (thrown.errno === "ENOEXEC") yield* this.#executeScript(path, words);
        if (thrown.errno !== "ENOENT" && thrown.errno !== "ENOTDIR") reason = this.#refusal(thrown.errno, path);
      }
    }
    const isMissing = reason === "ENOENT";
    throw new ShellError(`${name}: ${isMissing ? "not found" : errnoText(reason)}`, isMissing ? 127 : 126);
  }

  /** bash looks at what it may not run. */
  #refusal(errno: Errno["errno"], path: string): Errno["errno"] {
    const { dialect, sys } = this.shell;
    return dialect === "bash" && errno === "EACCES" && sys.stat(path).kind === "directory" ? "EISDIR" : errno;
  }

  /** Where a command may be: its path, or its name in each directory of PATH. */
  candidates(name: string, path = this.shell.variables.get("PATH") ?? ""): string[] {
    if (name === "" || name.includes("/")) return name === "" ? [] : [name];
    return path.split(":").map((directory) => (directory === "" ? name : `${directory}/${name}`));
  }

  /** A file without "#!" that is no program of the kernel's is a script for this shell. */
  *#executeScript(path: string, words: readonly string[]): Run<void> {
    const { sys } = this.shell;
    const fd = yield* settled(sys.open(path, { access: "read" }));
    const head = yield* settled(sys.read(fd, 4));
    sys.close(fd);
    if (head[0] === 0x7f || head.includes(0)) return;
    yield* settled(sys.exec("/bin/sh", ["sh", path, ...words.slice(1)], this.shell.variables.environment()));
  }

  // Processes

  #fork(job: Job | null, isForeground: boolean, body: (child: Interpreter) => Run<number>): Pid {
    const { shell } = this;
    const pid = this.#forked((own) => liveAsChild(shell, own, body), this.#groupFor(job, isForeground));
    if (job !== null) {
      if (shell.monitors && job.group === null) job.group = pid;
      job.members.push({ pid, status: null });
    }
    return pid;
  }

  #forked(body: (sys: Sys) => Promise<number>, options: SpawnOptions): Pid {
    try {
      return this.shell.sys.fork(body, options);
    } catch (thrown) {
      if (!(thrown instanceof Errno)) throw thrown;
      // dash has no line to tell of here.
      Object.assign(this.shell, { line: 0, functionLine: 0 });
      throw new ShellError("Cannot fork");
    }
  }

  #groupFor(job: Job | null, isForeground: boolean): SpawnOptions {
    if (job === null || !this.shell.monitors) return {};
    const foreground = isForeground && this.shell.terminal !== null;
    return { group: job.group ?? 0, ...(foreground ? { foreground } : {}) };
  }

  *#pipelineNode(node: Extract<Node, { kind: "pipeline" }>, flags: number): Run<number> {
    if (!node.negated) {
      const status = yield* this.#pipeline(node.stages, node.source, flags);
      const { pipeline } = this.shell;
      this.#check(status, flags);
      this.shell.pipeline = pipeline;
      return status;
    }
    const [only] = node.stages;
    const status =
      only === undefined
        ? 0
        : node.stages.length === 1
          ? yield* this.run(only, tested)
          : yield* this.#pipeline(node.stages, node.source, tested);
    return (this.shell.status = this.shell.skip !== null ? status : status === 0 ? 1 : 0);
  }

  *#pipeline(stages: readonly Node[], source: string, flags: number): Run<number> {
    const job = this.shell.jobs.add(source, this.shell.monitors);
    this.#start(job, stages, true, flags & tested);
    return yield* this.#foreground(job);
  }

  /** Forks a pipeline's stages, each with the pipe from the one before. */
  #start(job: Job, stages: readonly Node[], isForeground: boolean, flags: number): void {
    const { sys } = this.shell;
    let input: Fd | null = null;
    for (const [index, stage] of stages.entries()) {
      if (stage.kind === "simple") this.#remember(stage.words[0]?.constant ?? "");
      const pipe: { read: Fd; write: Fd } | null = index === stages.length - 1 ? null : sys.pipe();
      const from: Fd | null = input;
      this.#fork(job, isForeground, (child) =>
        child.#stage(stage, { from, pipe, keepsInput: isForeground || index > 0, flags }),
      );
      if (input !== null) sys.close(input);
      if (pipe !== null) sys.close(pipe.write);
      input = pipe?.read ?? null;
    }
  }

  *#stage(node: Node, { from, pipe, keepsInput, flags }: Place): Run<number> {
    const { sys } = this.shell;
    if (!keepsInput) yield* this.#detach();
    if (pipe !== null) sys.close(pipe.read);
    if (from !== null) move(sys, from, 0);
    if (pipe !== null) move(sys, pipe.write, 1);
    return yield* this.run(node, exiting | flags);
  }

  /** A background process without job control: the keys' signals and input are not for it. */
  *#detach(): Run<void> {
    const { sys } = this.shell;
    if (this.shell.jobControlled) return;
    sys.onSignal(SIGINT, "ignore");
    sys.onSignal(SIGQUIT, "ignore");
    move(sys, yield* settled(sys.open("/dev/null", { access: "read" })), 0);
  }

  #background(node: Node, source: string): number {
    const { shell } = this;
    const job = shell.jobs.add(source, shell.monitors);
    const stages = node.kind === "pipeline" && !node.negated ? node.stages : [node];
    this.#start(job, stages, false, 0);
    shell.lastBackground = job.members.at(-1)?.pid ?? null;
    return (shell.status = 0);
  }

  *#subshell(node: Extract<Node, { kind: "subshell" }>, flags: number): Run<number> {
    if ((flags & exiting) !== 0 && this.shell.traps.list().length === 0) return yield* this.run(node.body, exiting);
    const job = this.shell.jobs.add(node.source, this.shell.monitors);
    this.#fork(job, true, (child) => child.run(node.body, exiting | (flags & tested)));
    return this.#check(yield* this.#foreground(job), flags);
  }

  /** Runs a command substitution and gives its output without the newlines at its end. */
  *substitute(source: string, line: number): Run<string> {
    const { sys } = this.shell;
    const pipe = sys.pipe();
    const job = this.shell.jobs.add(source, this.shell.monitors);
    const pid = this.#fork(null, false, function* (child) {
      child.shell.sys.close(pipe.read);
      move(child.shell.sys, pipe.write, 1);
      return yield* child.source(source, line, exiting);
    });
    job.members.push({ pid, status: null });
    sys.close(pipe.write);
    const output = yield* this.readAll(pipe.read);
    sys.close(pipe.read);
    this.#substituted = yield* this.waitFor(job);
    this.shell.jobs.remove(job);
    this.shell.status = this.#substituted;
    return output.replaceAll("\0", "").replace(/\n+$/, "");
  }

  /** All that comes from a descriptor, as text. */
  *readAll(fd: Fd): Run<string> {
    const { sys } = this.shell;
    const chunks: Uint8Array[] = [];
    for (;;) {
      const chunk = yield* this.#uninterrupted(() => sys.read(fd, chunkBytes));
      if (chunk.length === 0) return decodeBytes(concat(chunks));
      chunks.push(chunk);
      if (chunks.length > 1) sys.allocate(chunk.length);
    }
  }

  /** A call that a signal which only notes itself does not end. */
  *#uninterrupted<T>(call: () => Promise<T>): Run<T> {
    for (;;) {
      try {
        return yield* settled(call());
      } catch (thrown) {
        if (!(thrown instanceof Errno) || thrown.errno !== "EINTR" || this.shell.traps.interrupted) throw thrown;
      }
    }
  }

  /** Waits until a foreground job has ended or stopped, and takes the terminal back. */
  *#foreground(job: Job): Run<number> {
    const status = yield* this.waitFor(job, true);
    this.shell.pipeline = job.members.map((member) => (member.status === null ? 0 : codeOf(member.status)));
    if (stateOf(job) === "done") this.shell.jobs.remove(job);
    this.takeTerminal();
    return status;
  }

  takeTerminal(): void {
    const { sys, terminal, monitors } = this.shell;
    if (monitors && terminal !== null) sys.setForeground(terminal, sys.group());
  }

  *waitFor(job: Job, says = false): Run<number> {
    const { shell } = this;
    while (stateOf(job) === "running") {
      const status = yield* this.#news();
      if (status === null) break;
      const changed = shell.jobs.note(status);
      if (!says || changed !== job) continue;
      const text = deathText(status);
      if (text !== "") yield* shell.print(2, `${text}\n`);
      else if (status.kind === "killed" && status.value === SIGINT && shell.interactive) yield* shell.print(2, "\n");
    }
    return statusOf(job, shell.options.has("P"));
  }

  /** The next change of a child; null when there is no child. */
  *#news(): Run<WaitStatus | null> {
    const { sys, monitors } = this.shell;
    try {
      return yield* this.#uninterrupted(() => sys.wait(-1, { untraced: monitors, continued: monitors }));
    } catch (thrown) {
      if (thrown instanceof Errno && (thrown.errno === "ECHILD" || thrown.errno === "EINTR")) return null;
      throw thrown;
    }
  }

  /** Notes what has changed without waiting; for `jobs` and the prompt. */
  *collect(): Run<void> {
    const { sys, jobs } = this.shell;
    for (;;) {
      try {
        const status = yield* settled(sys.wait(-1, { noHang: true, untraced: true, continued: true }));
        if (status === null) return;
        jobs.note(status);
      } catch (thrown) {
        if (thrown instanceof Errno) return;
        throw thrown;
      }
    }
  }

  // Signals

  /** Runs the traps of signals that have come. */
  *signals(): Run<void> {
    const { shell } = this;
    if (shell.traps.interrupted) {
      shell.traps.interrupted = false;
      throw new Interrupted();
    }
    for (let next = shell.traps.take(); next !== null; next = shell.traps.take()) {
      if (next.action === "") continue;
      const { status, skip } = shell;
      shell.skip = null;
      yield* this.source(next.action, 1, 0);
      // A `return` in it gives its own.
      if (shell.skip === null) shell.status = status;
      shell.skip ??= skip;
    }
  }
}

/** A command that does nothing. */
function* nothing(): Run<number> {
  yield* [];
  return 0;
}

/** Errors of the script, which are said where they happen. */
function isSaid(thrown: unknown): boolean {
  return (
    thrown instanceof ShellError ||
    thrown instanceof ReadOnly ||
    thrown instanceof Errno ||
    thrown instanceof SyntaxProblem
  );
}

/** The life of a forked child of a shell. */
async function liveAsChild(parent: Shell, sys: Sys, body: (child: Interpreter) => Run<number>): Promise<number> {
  const shell = parent.copy(sys);
  shell.jobControlled = parent.monitors;
  const child = new Interpreter(shell);
  return drive(child.toEnd(() => body(child)));
}

function move(sys: Sys, from: Fd, to: Fd): void {
  if (from === to) return;
  sys.duplicate(from, to);
  sys.close(from);
}

/** The text with its first word replaced; null when it is no alias. One that ends in a blank lets the next word be one too. */
function expandAlias(
  aliases: ReadonlyMap<string, string>,
  source: string,
  seen: readonly string[] = [],
): string | null {
  const name = /^[^\s;&|()<>"'\\$`]+/.exec(source)?.[0] ?? "";
  const value = seen.includes(name) ? undefined : aliases.get(name);
  if (value === undefined) return null;
  const rest = source.slice(name.length);
  const first = expandAlias(aliases, value, [...seen, name]) ?? value;
  if (!/[ \t]$/.test(value)) return first + rest;
  const blank = /^\s*/.exec(rest)?.[0] ?? "";
  return first + blank + (expandAlias(aliases, rest.slice(blank.length), seen) ?? rest.slice(blank.length));
}

/** What came of an alias is not looked up again. */
function stripAlias(node: Node): Node {
  if (node.kind !== "simple") return node;
  const [first, ...rest] = node.words;
  return first === undefined ? node : { ...node, words: [{ ...first, source: `\\${first.source}` }, ...rest] };
}
