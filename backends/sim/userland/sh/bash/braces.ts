/** Brace expansion: "{a,b}" and "{1..5}" make several words of one, before anything else is expanded. */
import type { Segment } from "../tree.ts";

/** A character of unquoted text, or a segment that braces pass over. */
type Atom = string | Segment;

const wordsMax = 100_000;

export function expandBraces(segments: readonly Segment[]): Segment[][] {
  const atoms = segments.flatMap((segment): Atom[] =>
    segment.kind === "text" && !segment.quoted ? Array.from(segment.text) : [segment],
  );
  return expand(atoms).map(segmentsOf);
}

function segmentsOf(atoms: readonly Atom[]): Segment[] {
  const segments: Segment[] = [];
  for (const atom of atoms) {
    const last = segments.at(-1);
    if (typeof atom !== "string") segments.push(atom);
    else if (last?.kind === "text" && !last.quoted) segments[segments.length - 1] = { ...last, text: last.text + atom };
    else segments.push({ kind: "text", text: atom, quoted: false });
  }
  return segments;
}

function expand(atoms: readonly Atom[]): Atom[][] {
  for (let open = atoms.indexOf("{"); open !== -1; open = atoms.indexOf("{", open + 1)) {
    const close = closing(atoms, open);
    if (close === -1) continue;
    const parts = partsOf(atoms.slice(open + 1, close));
    if (parts === null) continue;
    const rests = expand(atoms.slice(close + 1));
    const before = atoms.slice(0, open);
    return parts.flatMap((part) => rests.map((rest) => [...before, ...part, ...rest])).slice(0, wordsMax);
  }
  return [[...atoms]];
}

function closing(atoms: readonly Atom[], open: number): number {
  let depth = 0;
  for (let at = open; at < atoms.length; at++) {
    if (atoms[at] === "{") depth++;
    if (atoms[at] === "}" && --depth === 0) return at;
  }
  return -1;
}

/** What stands between two braces; null when it is neither a list nor a sequence. */
function partsOf(inner: readonly Atom[]): Atom[][] | null {
  const parts: Atom[][] = [[]];
  let depth = 0;
  for (const atom of inner) {
    if (atom === "," && depth === 0) {
      parts.push([]);
      continue;
    }
    if (atom === "{") depth++;
    if (atom === "}") depth--;
    parts.at(-1)?.push(atom);
  }
  if (parts.length > 1) return parts.flatMap(expand);
  return inner.every((atom) => typeof atom === "string") ? sequence(inner.join("")) : null;
}

function sequence(text: string): Atom[][] | null {
  const [, first, last, by] = /^(-?\d+|[A-Za-z])\.\.(-?\d+|[A-Za-z])(?:\.\.(-?\d+))?$/.exec(text) ?? [];
  if (first === undefined || last === undefined) return null;
  const isLetters = /[A-Za-z]/.test(first);
  if (isLetters !== /[A-Za-z]/.test(last)) return null;
  const value = (end: string): number => (isLetters ? end.charCodeAt(0) : Number(end));
  const [from, to] = [value(first), value(last)];
  const step = Math.max(1, Math.abs(Number(by ?? 1)));
  const width = /^-?0\d/.test(first) || /^-?0\d/.test(last) ? Math.max(first.length, last.length) : 0;
  const count = Math.min(wordsMax, Math.floor(Math.abs(to - from) / step) + 1);
  return Array.from({ length: count }, (_, index) => {
    const number = from + (to < from ? -step : step) * index;
    const shown = isLetters ? String.fromCharCode(number) : padded(number, width);
    return Array.from(shown);
  });
}

function padded(number: number, width: number): string {
  return number < 0 ? `-${String(-number).padStart(width - 1, "0")}` : String(number).padStart(width, "0");
}
