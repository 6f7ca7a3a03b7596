/** diff: what makes one file of another, as unified hunks (busybox's diff knows no other format). */
import { Errno } from "../../../../core/base/errno.ts";
import { allLines, applet, baseName, type Context, Failure, joinPath, listDirectory, withInput } from "../applet.ts";
import { type Options, parseOptions } from "../options.ts";
import { lookAt } from "../paths.ts";

interface Text {
  readonly lines: readonly string[];
  readonly ended: boolean;
}

/** A run of lines: the same in both, or only in one. */
interface Edit {
  readonly kind: " " | "-" | "+";
  readonly a: number;
  readonly b: number;
}

const diff = applet(async (context) => {
  const options = parseOptions(context.args, {
    flags: "abBdiNqrTstwu",
    valued: "LSU",
    long: { brief: "q", recursive: "r", unified: "U" },
    operandsMin: 2,
    operandsMax: 2,
  });
  const [first = "", second = ""] = options.operands;
  const paths = [first, second];
  const kinds = paths.map((path) => (path === "-" ? "file" : (lookAt(context.sys, path, true)?.kind ?? null)));
  for (const [index, kind] of kinds.entries()) {
    if (kind === null && !options.has("N"))
      throw new Failure(`can't stat '${paths[index]}': No such file or directory`, 2);
  }
  if (kinds[0] === "directory" && kinds[1] === "directory") return directories(context, first, second, options);
  const a = kinds[0] === "directory" ? joinPath(first, baseName(second)) : first;
  const b = kinds[1] === "directory" ? joinPath(second, baseName(first)) : second;
  if (isOne(context, a, b)) return 0;
  return (await files(context, a, b, options)) ? 1 : 0;
});

/** A file is not compared with itself. */
function isOne({ sys }: Context, a: string, b: string): boolean {
  const [first, second] = [a, b].map((path) => (path === "-" ? null : lookAt(sys, path, true)));
  return first != null && second != null && first.inode === second.inode && first.ctime === second.ctime;
}

async function textOf(context: Context, path: string): Promise<Text> {
  try {
    return await withInput(context.sys, path, (fd) => allLines(context.sys, fd));
  } catch (thrown) {
    if (thrown instanceof Errno && thrown.errno === "ENOENT") return { lines: [], ended: true };
    throw thrown;
  }
}

/** True when they differ. */
async function files(context: Context, first: string, second: string, options: Options): Promise<boolean> {
  const a = await textOf(context, first);
  const b = await textOf(context, second);
  const keys = (text: Text): string[] =>
    text.lines.map((line, index) => key(line, options) + (index === text.lines.length - 1 && !text.ended ? "\0" : ""));
  await context.sys.work((a.lines.length + b.lines.length) * 1000);
  const edits = compare(keys(a), keys(b));
  const isSame = edits.every(({ kind }) => kind === " ");
  if (isSame) {
    if (options.has("s")) context.out.put(`Files ${first} and ${second} are identical\n`);
    return false;
  }
  if (options.has("q")) context.out.put(`Files ${first} and ${second} differ\n`);
  else {
    const labels = options.values("L");
    context.out.put(`--- ${labels[0] ?? first}\n+++ ${labels[1] ?? second}\n`);
    for (const hunk of hunksOf(edits, Number(options.value("U") ?? 3)))
      context.out.put(hunkText(hunk, a, b, options.has("T")));
  }
  return true;
}

function key(line: string, options: Options): string {
  let text = line;
  if (options.has("w")) text = text.replace(/\s+/g, "");
  else if (options.has("b")) text = text.replace(/\s+/g, " ").trimEnd();
  return options.has("i") ? text.toLowerCase() : text;
}

/** The longest common subsequence by Myers' greedy search; what is common at both ends is taken first. */
function compare(a: readonly string[], b: readonly string[]): Edit[] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const edits: Edit[] = Array.from({ length: start }, (_, index) => ({ kind: " ", a: index, b: index }));
  edits.push(
    ...middle(a.slice(start, a.length - end), b.slice(start, b.length - end)).map((edit) => ({
      ...edit,
      a: edit.a + start,
      b: edit.b + start,
    })),
  );
  for (let index = end; index > 0; index--) edits.push({ kind: " ", a: a.length - index, b: b.length - index });
  return edits;
}

function middle(a: readonly string[], b: readonly string[]): Edit[] {
  const trace: Map<number, number>[] = [];
  let furthest = new Map([[1, 0]]);
  for (let cost = 0; cost <= a.length + b.length; cost++) {
    trace.push(new Map(furthest));
    const next = new Map(furthest);
    for (let diagonal = -cost; diagonal <= cost; diagonal += 2) {
      const [above, left] = [furthest.get(diagonal + 1) ?? -1, furthest.get(diagonal - 1) ?? -1];
      let x = diagonal === -cost || (diagonal !== cost && left < above) ? above : left + 1;
      let y = x - diagonal;
      while (x < a.length && y < b.length && a[x] === b[y]) {
        x++;
        y++;
      }
      next.set(diagonal, x);
      if (x >= a.length && y >= b.length) return backwards(trace, a.length, b.length);
    }
    furthest = next;
  }
  return [];
}

function backwards(trace: readonly Map<number, number>[], endA: number, endB: number): Edit[] {
  const edits: Edit[] = [];
  let [x, y] = [endA, endB];
  for (let cost = trace.length - 1; cost >= 0; cost--) {
    const furthest = trace[cost] ?? new Map<number, number>();
    const diagonal = x - y;
    const [above, left] = [furthest.get(diagonal + 1) ?? -1, furthest.get(diagonal - 1) ?? -1];
    const isDown = diagonal === -cost || (diagonal !== cost && left < above);
    const previous = isDown ? diagonal + 1 : diagonal - 1;
    const beforeX = furthest.get(previous) ?? 0;
    const beforeY = beforeX - previous;
    while (x > beforeX && y > beforeY && x > 0 && y > 0) edits.push({ kind: " ", a: --x, b: --y });
    if (cost > 0) edits.push(isDown ? { kind: "+", a: x, b: --y } : { kind: "-", a: --x, b: y });
  }
  return edits.reverse();
}

/** Edits with so many unchanged lines around them; near ones share a hunk. */
function hunksOf(edits: readonly Edit[], around: number): Edit[][] {
  const hunks: Edit[][] = [];
  let last = -Infinity;
  for (const [index, { kind }] of edits.entries()) {
    if (kind === " ") continue;
    const from = Math.max(0, index - around);
    const hunk = from <= last ? hunks.at(-1) : undefined;
    const begin = hunk === undefined ? from : last;
    const end = Math.min(edits.length, index + around + 1);
    if (hunk === undefined) hunks.push(edits.slice(begin, end));
    else hunk.push(...edits.slice(begin, end));
    last = end;
  }
  return hunks;
}

function hunkText(hunk: readonly Edit[], a: Text, b: Text, isTabbed: boolean): string {
  const [first] = hunk;
  const countA = hunk.filter(({ kind }) => kind !== "+").length;
  const countB = hunk.filter(({ kind }) => kind !== "-").length;
  const range = (start: number, count: number): string =>
    count === 1 ? String(start + 1) : `${count === 0 ? start : start + 1},${count}`;
  const lines = hunk.map(({ kind, a: x, b: y }) => {
    const text = kind === "+" ? b : a;
    const at = kind === "+" ? y : x;
    const isUnended = at === text.lines.length - 1 && !text.ended;
    return `${kind}${isTabbed ? "\t" : ""}${text.lines[at]}\n${isUnended ? "\\ No newline at end of file\n" : ""}`;
  });
  return `@@ -${range(first?.a ?? 0, countA)} +${range(first?.b ?? 0, countB)} @@\n${lines.join("")}`;
}

async function directories(context: Context, first: string, second: string, options: Options): Promise<number> {
  if (lookAt(context.sys, first, true)?.inode === lookAt(context.sys, second, true)?.inode) return 0;
  const [a, b] = [await namesIn(context, first), await namesIn(context, second)];
  let code = 0;
  for (const name of [...new Set([...a, ...b])].sort()) {
    const [pathA, pathB] = [joinPath(first, name), joinPath(second, name)];
    const isBoth = a.includes(name) && b.includes(name);
    if (!isBoth && !options.has("N")) {
      context.out.put(`Only in ${a.includes(name) ? first : second}: ${name}\n`);
      code = 1;
    } else if (lookAt(context.sys, isBoth || a.includes(name) ? pathA : pathB, true)?.kind === "directory") {
      if (options.has("r")) code = Math.max(code, await directories(context, pathA, pathB, options));
      else context.out.put(`Common subdirectories: ${pathA} and ${pathB}\n`);
    } else if (await files(context, pathA, pathB, options)) code = 1;
  }
  return code;
}

async function namesIn(context: Context, path: string): Promise<string[]> {
  if (lookAt(context.sys, path, true) === null) return [];
  return (await listDirectory(context.sys, path)).map(({ name }) => name);
}

export const programs = { diff };
