/** Pathname expansion: the files that a pattern names, sorted, hidden ones only when asked for. */
import { Errno } from "../../../../core/base/errno.ts";
import type { Sys } from "../../kernel/sys.ts";
import { listDirectory } from "../applet.ts";
import { hasWildcards, matchesPattern, unescapePattern } from "../pattern.ts";

/** [] when nothing matches. `showsHidden`: names with a dot before them match too. */
export async function glob(sys: Sys, pattern: string, showsHidden = false): Promise<string[]> {
  const names = pattern.split(/\/+/);
  let found = [pattern.startsWith("/") ? "/" : ""];
  const steps = names.filter((name) => name !== "");
  for (const [index, name] of steps.entries()) {
    const isLast = index === steps.length - 1;
    const next: string[] = [];
    for (const base of found)
      next.push(...(await step(sys, base, name, !isLast || pattern.endsWith("/"), showsHidden)));
    found = next;
  }
  return found.map((path) => (pattern.endsWith("/") ? `${path}/` : path)).sort(byBytes);
}

async function step(
  sys: Sys,
  base: string,
  name: string,
  mustBeDirectory: boolean,
  showsHidden: boolean,
): Promise<string[]> {
  const join = (entry: string): string => (base === "" || base === "/" ? base + entry : `${base}/${entry}`);
  if (!hasWildcards(name)) {
    const path = join(unescapePattern(name));
    return exists(sys, path, mustBeDirectory) ? [path] : [];
  }
  const entries = (await names(sys, base)).filter(
    (entry) =>
      (!entry.startsWith(".") || (showsHidden && !/^\.\.?$/.test(entry)) || /^\\?\./.test(name)) &&
      matchesPattern(entry, name),
  );
  return entries.map(join).filter((path) => !mustBeDirectory || exists(sys, path, true));
}

async function names(sys: Sys, base: string): Promise<string[]> {
  try {
    const entries = await listDirectory(sys, base === "" ? "." : base);
    return [".", "..", ...entries.map(({ name }) => name)];
  } catch (thrown) {
    if (thrown instanceof Errno) return [];
    throw thrown;
  }
}

function exists(sys: Sys, path: string, mustBeDirectory: boolean): boolean {
  try {
    return mustBeDirectory ? sys.stat(path).kind === "directory" : sys.lstat(path).inode !== undefined;
  } catch (thrown) {
    if (thrown instanceof Errno) return false;
    throw thrown;
  }
}

/** The order of strcmp(3). */
export function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
