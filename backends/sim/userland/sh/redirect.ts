/**
 * Redirections: descriptors opened, duplicated and closed, and given back afterwards when the command
 * runs in the shell itself. What is saved lies at 10 and above, where scripts do not look, and is
 * closed by exec.
 */
import { encodeText } from "../../../../core/base/bytes.ts";
import { Errno, errnoText } from "../../../../core/base/errno.ts";
import type { Fd, OpenOptions, Sys } from "../../kernel/sys.ts";
import type { Expander } from "./expand.ts";
import { type Run, settled } from "../run.ts";
import { type Shell, ShellError } from "./shell.ts";
import type { Redirection } from "./tree.ts";

const firstSaved = 10;
/** What a pipe takes without a reader. */
const pipeBytes = 4096;

/** What a descriptor was before: another one now, or closed. */
export interface Saved {
  readonly fd: Fd;
  readonly copy: Fd | null;
}

/** Carries out redirections in order; `saved` receives what `restore` needs, null: it is for good. */
export function* redirect(
  shell: Shell,
  expander: Expander,
  redirections: readonly Redirection[],
  saved: Saved[] | null,
): Run<void> {
  for (const redirection of redirections) {
    if (redirection.kind === "file") yield* toFile(shell, expander, redirection, saved);
    else if (redirection.kind === "here")
      yield* fromHere(shell, yield* expander.text(redirection.body), redirection.fd, saved);
    else if (redirection.kind === "both") {
      if (shell.dialect === "dash") throw new ShellError('Syntax error: "&" unexpected');
      yield* toFile(
        shell,
        expander,
        { kind: "file", fd: 1, operator: redirection.operator, target: redirection.target },
        saved,
      );
      duplicate(shell.sys, 2, "1", saved);
    } else if (redirection.kind === "named") yield* named(shell, expander, redirection);
    else duplicate(shell.sys, redirection.fd, yield* expander.text(redirection.target), saved);
  }
}

/** "{name}>file" opens for good, "{name}>&-" closes what the variable names. */
function* named(
  shell: Shell,
  expander: Expander,
  { name, redirection }: Extract<Redirection, { kind: "named" }>,
): Run<void> {
  const isClosing = redirection.kind === "duplicate" && (yield* expander.text(redirection.target)) === "-";
  const fd = isClosing ? Number(shell.variables.get(name)) : freeFd(shell.sys);
  if (!isClosing) shell.variables.set(name, String(fd));
  yield* redirect(shell, expander, [{ ...redirection, fd } as Redirection], null);
}

export function restore(sys: Sys, saved: readonly Saved[]): void {
  for (const { fd, copy } of saved.toReversed()) {
    if (copy === null) closeQuietly(sys, fd);
    else {
      sys.duplicate(copy, fd);
      sys.close(copy);
    }
  }
}

const openings: Readonly<Record<"<" | ">" | ">>" | "<>" | ">|", OpenOptions>> = {
  "<": { access: "read" },
  ">": { access: "write", create: true, truncate: true },
  ">|": { access: "write", create: true, truncate: true },
  ">>": { access: "write", create: true, append: true },
  "<>": { access: "both", create: true },
};

function* toFile(
  shell: Shell,
  expander: Expander,
  redirection: Extract<Redirection, { kind: "file" }>,
  saved: Saved[] | null,
): Run<void> {
  const { operator, fd } = redirection;
  const path = yield* expander.text(redirection.target);
  if (operator === ">" && shell.options.has("C") && isFile(shell.sys, path))
    throw new ShellError(`cannot create ${path}: File exists`);
  const opened = yield* openFor(shell.sys, path, operator);
  place(shell.sys, opened, fd, saved);
}

function isFile(sys: Sys, path: string): boolean {
  try {
    return sys.stat(path).kind === "file";
  } catch {
    return false;
  }
}

function* openFor(sys: Sys, path: string, operator: keyof typeof openings): Run<Fd> {
  try {
    return yield* settled(sys.open(path, openings[operator]));
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    const creates = openings[operator].create === true;
    const isMissing = thrown.errno === "ENOENT" || thrown.errno === "ENOTDIR";
    const reason = isMissing ? (creates ? "Directory nonexistent" : "No such file") : errnoText(thrown.errno);
    throw new ShellError(`cannot ${creates ? "create" : "open"} ${path}: ${reason}`);
  }
}

/** Moves a fresh descriptor to where it is wanted. */
function place(sys: Sys, from: Fd, to: Fd, saved: Saved[] | null): void {
  if (from === to) {
    saved?.push({ fd: to, copy: null });
    return;
  }
  keep(sys, to, saved);
  sys.duplicate(from, to);
  sys.close(from);
}

function keep(sys: Sys, fd: Fd, saved: Saved[] | null): void {
  if (saved === null || saved.some((each) => each.fd === fd)) return;
  if (!isOpen(sys, fd)) return void saved.push({ fd, copy: null });
  const copy = freeFd(sys);
  sys.duplicate(fd, copy);
  sys.setCloseOnExec(copy, true);
  saved.push({ fd, copy });
}

/** The lowest number from 10 that is free. */
export function freeFd(sys: Sys): Fd {
  let fd = firstSaved;
  while (isOpen(sys, fd)) fd++;
  return fd;
}

export function isOpen(sys: Sys, fd: Fd): boolean {
  try {
    sys.statFd(fd);
    return true;
  } catch (thrown) {
    if (thrown instanceof Errno && thrown.errno === "EBADF") return false;
    throw thrown;
  }
}

function duplicate(sys: Sys, fd: Fd, target: string, saved: Saved[] | null): void {
  if (target === "-") {
    keep(sys, fd, saved);
    return closeQuietly(sys, fd);
  }
  if (!/^\d$/.test(target)) throw new ShellError("Syntax error: Bad fd number", 2, true);
  if (!isOpen(sys, Number(target))) throw new ShellError(`${target}: Bad file descriptor`);
  if (Number(target) === fd) return;
  keep(sys, fd, saved);
  sys.duplicate(Number(target), fd);
}

export function closeQuietly(sys: Sys, fd: Fd): void {
  if (isOpen(sys, fd)) sys.close(fd);
}

/** A here-document is a pipe; a long one is written by a child of its own. */
function* fromHere(shell: Shell, text: string, fd: Fd, saved: Saved[] | null): Run<void> {
  const { sys } = shell;
  const bytes = encodeText(text);
  const pipe = sys.pipe();
  if (bytes.length <= pipeBytes) yield* settled(sys.write(pipe.write, bytes));
  else {
    sys.fork(async (child) => {
      child.close(pipe.read);
      await child.write(pipe.write, bytes);
      return 0;
    });
  }
  sys.close(pipe.write);
  place(sys, pipe.read, fd, saved);
}
