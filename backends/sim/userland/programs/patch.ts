/** patch(1): applies unified diffs. All of a file's hunks fit, or the file stays as it is. */
import { encodeText } from "../../../../core/base/bytes.ts";
import { allLines, applet, baseName, type Context, Failure, isErrno, withInput } from "../applet.ts";
import { type Options, parseOptions } from "../options.ts";

interface Hunk {
  /** Each begins with " ", "-" or "+". */
  readonly lines: readonly string[];
  readonly oldStart: number;
  readonly newStart: number;
  readonly oldCount: number;
}

interface FilePatch {
  readonly from: string;
  readonly to: string;
  /** The file it is for, whichever way round it is applied. */
  readonly name: string;
  readonly hunks: readonly Hunk[];
}

const missing = "/dev/null";

const patch = applet(async (context) => {
  const options = parseOptions(context.args, {
    flags: "uNREs",
    valued: "pi",
    long: { strip: "p", input: "i", forward: "N", reverse: "R", quiet: "s", "dry-run": "Z" },
    operandsMax: 2,
  });
  const [file, input = options.value("i") ?? "-"] = options.operands;
  const { lines } = await withInput(context.sys, input, (fd) => allLines(context.sys, fd));
  for (const each of filesOf(lines, options.has("R"))) await apply(context, options, each, file);
  return context.code;
});

function filesOf(lines: readonly string[], isReversed: boolean): FilePatch[] {
  const files: { from: string; to: string; name: string; hunks: Hunk[] }[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    const next = lines[at + 1] ?? "";
    if (line.startsWith("--- ") && next.startsWith("+++ ")) {
      const names = [nameOf(line), nameOf(next)];
      const [from = "", to = ""] = isReversed ? names.toReversed() : names;
      files.push({ from, to, name: names.findLast((name) => name !== missing) ?? missing, hunks: [] });
      at++;
    } else if (line.startsWith("@@ ")) {
      const { hunk, end } = hunkAt(lines, at, isReversed);
      files.at(-1)?.hunks.push(hunk);
      at = end - 1;
    }
  }
  return files;
}

/** Behind the marks; a tab separates it from its time. */
function nameOf(line: string): string {
  return line.slice(4).split("\t")[0] ?? "";
}

/** Its header says how many lines it has. */
function hunkAt(lines: readonly string[], at: number, isReversed: boolean): { hunk: Hunk; end: number } {
  const found = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/.exec(lines[at] ?? "");
  if (found === null) throw new Failure(`corrupted hunk ${at + 1}`);
  const [oldStart = 0, oldCount = 1, newStart = 0, newCount = 1] = found
    .slice(1)
    .map((text: string | undefined) => (text === undefined ? 1 : Number(text)));
  const body: string[] = [];
  let end = at + 1;
  for (let [old, fresh] = [oldCount, newCount]; old > 0 || fresh > 0; end++) {
    const line = lines[end];
    if (line === undefined) throw new Failure(`corrupted hunk ${at + 1}`);
    if (line.startsWith("\\")) continue;
    const mark = line === "" ? " " : line.charAt(0);
    if (mark !== "+") old--;
    if (mark !== "-") fresh--;
    body.push(line === "" ? " " : line);
  }
  if (lines[end]?.startsWith("\\") === true) end++;
  if (!isReversed) return { hunk: { lines: body, oldStart, newStart, oldCount }, end };
  const marks: Readonly<Record<string, string>> = { "+": "-", "-": "+", " ": " " };
  const reversed = body.map((line) => (marks[line.charAt(0)] ?? " ") + line.slice(1));
  return { hunk: { lines: reversed, oldStart: newStart, newStart: oldStart, oldCount: newCount }, end };
}

async function apply(context: Context, options: Options, patched: FilePatch, named: string | undefined): Promise<void> {
  const { from, to, name, hunks } = patched;
  const path = named ?? stripped(name, options);
  const isNew = from === missing || (hunks[0]?.oldStart === 0 && hunks[0].oldCount === 0);
  const say = (text: string): Promise<void> => context.out.print(options.has("s") ? "" : `${text}\n`);
  await say(`${isNew ? "creating" : "patching file"} ${path}`);
  const before = isNew ? [] : await linesAt(context, path);
  if (before === null) return;
  const after = await withHunks(context, before, hunks);
  if (after === null || options.has("Z")) return;
  if (to === missing) {
    await say(`removing ${path}`);
    context.sys.unlink(path);
    return;
  }
  const fd = await context.sys.open(path, { access: "write", create: true, truncate: true, mode: 0o666 });
  await context.sys.write(fd, encodeText(after.map((line) => `${line}\n`).join("")));
  context.sys.close(fd);
}

/** -p N takes N directories away; without, all go. */
function stripped(path: string, options: Options): string {
  const count = options.value("p");
  if (count === undefined) return baseName(path);
  const parts = path.split(/\/+/);
  return parts.slice(Math.min(Number(count), parts.length - 1)).join("/");
}

async function linesAt(context: Context, path: string): Promise<string[] | null> {
  try {
    return (await withInput(context.sys, path, (fd) => allLines(context.sys, fd))).lines;
  } catch (thrown) {
    if (!isErrno(thrown, "ENOENT")) throw thrown;
    await context.complain(`can't open '${path}': No such file or directory`);
    return null;
  }
}

/** null when a hunk does not fit, which is said. */
async function withHunks(
  context: Context,
  before: readonly string[],
  hunks: readonly Hunk[],
): Promise<string[] | null> {
  const after: string[] = [];
  let read = 0;
  for (const [index, hunk] of hunks.entries()) {
    const at = placeOf(before, read, sideOf(hunk, "+"), hunk);
    if (at === null) {
      await refuse(context, before, index + 1, hunk);
      return null;
    }
    after.push(...before.slice(read, at), ...sideOf(hunk, "-"));
    read = at + sideOf(hunk, "+").length;
  }
  return [...after, ...before.slice(read)];
}

/** The lines of one side: all but those of the other's mark. */
function sideOf({ lines }: Hunk, other: "+" | "-"): string[] {
  return lines.filter((line) => !line.startsWith(other)).map((line) => line.slice(1));
}

/** Wherever it stands now: the first place from there on. One with less context behind it than before it stands at the end. */
function placeOf(before: readonly string[], from: number, wanted: readonly string[], hunk: Hunk): number | null {
  const isLast = contextOf(hunk.lines.toReversed()) < contextOf(hunk.lines);
  const first = isLast ? Math.max(from, before.length - wanted.length) : from;
  for (let at = first; at + wanted.length <= before.length; at++)
    if (wanted.every((line, index) => before[at + index] === line)) return at;
  return null;
}

function contextOf(lines: readonly string[]): number {
  const changed = lines.findIndex((line) => !line.startsWith(" "));
  return changed === -1 ? lines.length : changed;
}

/** Whether a line that the hunk adds stood where it would be added, as the search came by. */
function looksReversed(before: readonly string[], { lines }: Hunk): boolean {
  let next = 0;
  const skipsAdded = (text: string): boolean => {
    let isThere = false;
    for (; lines[next]?.startsWith("+") === true; next++) isThere ||= lines[next]?.slice(1) === text;
    return isThere;
  };
  const pending: string[] = [];
  for (const text of before) {
    if (skipsAdded(text)) return true;
    pending.push(text);
    for (let at = pending.length - 1; at < pending.length; ) {
      if (lines[next]?.slice(1) === pending[at]) {
        next++;
        at++;
        continue;
      }
      pending.shift();
      next = 0;
      at = 0;
    }
  }
  return false;
}

async function refuse(context: Context, before: readonly string[], number: number, hunk: Hunk): Promise<void> {
  const reversed = looksReversed(before, hunk) ? `Possibly reversed hunk ${number} at ${before.length + 1}\n` : "";
  const lines = hunk.lines.map((line) => `${line}\n`).join("");
  context.code = 1;
  await context.out.flush();
  await context.sys.write(
    2,
    encodeText(`${reversed}Hunk ${number} FAILED ${hunk.oldStart}/${hunk.newStart}.\n${lines}`),
  );
}

export const programs = { patch };
