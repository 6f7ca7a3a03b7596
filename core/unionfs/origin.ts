/**
 * Where what a union shows comes from: for each name which layer it is of, which layers below have
 * it too, and which layer hides it. It is made of layers' entries (paths, no bytes), so it answers for
 * an image that was only looked at as for one that containers run on. Overlay (overlay.ts) is the
 * union itself; origin.test.ts holds the two to each other.
 */
import type { Change, TreePath } from "./change.ts";

/** A layer's entry without its bytes. */
export interface LayerEntry {
  readonly kind: Change["kind"];
  readonly path: TreePath;
  /** Bytes of a file, 0 for the rest. */
  readonly size: number;
  /** Permission bits, 0 where the entry has none. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** What a symlink or a hard link names, "" for the rest. */
  readonly target: string;
}

export function entryOf(change: Change): LayerEntry {
  const { mode, uid, gid } = "meta" in change ? change.meta : { mode: 0, uid: 0, gid: 0 };
  const size = change.kind === "file" ? change.size : 0;
  const target = "target" in change ? change.target : "";
  return { kind: change.kind, path: change.path, size, mode, uid, gid, target };
}

/** A name in a directory of the union. */
export interface Origin {
  readonly name: string;
  /** Null: it is not to be seen, `hiddenBy` says why. */
  readonly entry: LayerEntry | null;
  /** The layer whose entry shows, counted from the bottom, 0 first; of a hidden one the highest that has it. */
  readonly layer: number;
  /** Lower layers that have the name too and are covered by `layer`, the highest first. */
  readonly covers: readonly number[];
  /** The layer whose whiteout, or whose opaque directory, hides it. */
  readonly hiddenBy: number | null;
}

interface Mark {
  readonly layer: number;
  readonly entry: LayerEntry;
}

/** One path of all layers, and what lies beneath it. */
interface Place {
  /** Bottom first. */
  readonly marks: Mark[];
  readonly children: Map<string, Place>;
}

export class Origins {
  readonly #root: Place = newPlace();

  /** `layers` bottom first. */
  constructor(layers: readonly (readonly LayerEntry[])[]) {
    for (const [layer, entries] of layers.entries()) for (const entry of entries) this.#enter(layer, entry);
  }

  #enter(layer: number, entry: LayerEntry): void {
    let place = this.#root;
    const names = entry.path.split("/").filter((name) => name !== "");
    for (const [at, name] of names.entries()) {
      const child = place.children.get(name) ?? newPlace();
      place.children.set(name, child);
      place = child;
      if (at < names.length - 1 || entry.kind === "opaque")
        standFor(child, layer, names.slice(0, at + 1).join("/") as TreePath);
    }
    place.marks.push({ layer, entry });
  }

  /**
   * The names in a directory of the union of the layers 0…`top`, sorted, hidden ones among them.
   * [] for what is no directory.
   */
  list(path: string, top: number): Origin[] {
    let [place, floor] = [this.#root, 0]; // a root is always merged, opaque or not
    for (const name of path.split("/").filter((part) => part !== "")) {
      const child = place.children.get(name);
      if (child === undefined || !isDirectory(originOf(name, child, floor, top))) return [];
      floor = floorBeneath(child, floor, top);
      place = child;
    }
    return [...place.children]
      .filter(([, child]) => child.marks.some(({ layer, entry }) => layer <= top && isThing(entry)))
      .map(([name, child]) => originOf(name, child, floor, top))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}

function newPlace(): Place {
  return { marks: [], children: new Map() };
}

/** A tar may leave directories out in which something is; they are there all the same. */
function standFor(place: Place, layer: number, path: TreePath): void {
  if (place.marks.some((mark) => mark.layer === layer && mark.entry.kind !== "opaque")) return;
  place.marks.push({
    layer,
    entry: { kind: "directory", path, size: 0, mode: 0o755, uid: 0, gid: 0, target: "" },
  });
}

function isThing({ kind }: LayerEntry): boolean {
  return kind !== "whiteout" && kind !== "opaque";
}

function isDirectory({ entry }: Origin): boolean {
  return entry?.kind === "directory";
}

/** The marks of layers `floor`…`top`, the highest first; of two of one layer the later one first. */
function marksWithin(place: Place, floor: number, top: number): Mark[] {
  return place.marks.filter(({ layer }) => layer >= floor && layer <= top).reverse();
}

function originOf(name: string, place: Place, floor: number, top: number): Origin {
  const marks = marksWithin(place, floor, top).filter(({ entry }) => entry.kind !== "opaque");
  const [first] = marks;
  const below = (under: number): number[] =>
    marksWithin(place, 0, top)
      .filter(({ layer, entry }) => layer < under && isThing(entry))
      .map(({ layer }) => layer);
  if (first !== undefined && isThing(first.entry))
    return { name, entry: first.entry, layer: first.layer, covers: below(first.layer), hiddenBy: null };
  const hiddenBy = first?.layer ?? floor;
  const covers = below(hiddenBy);
  return { name, entry: null, layer: covers[0] ?? 0, covers: covers.slice(1), hiddenBy };
}

/** The lowest layer whose entries in this directory show: what is under an opaque one, a file or a whiteout does not. */
function floorBeneath(place: Place, floor: number, top: number): number {
  for (const { layer, entry } of marksWithin(place, floor, top)) {
    if (entry.kind === "opaque") return layer;
    if (entry.kind !== "directory") return layer + 1;
  }
  return floor;
}
