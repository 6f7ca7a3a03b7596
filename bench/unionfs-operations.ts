/**
 * What the bench `unionfs` times. Files come from all over the tree, in an order that is the same for
 * everybody, so that in a large one each operation waits for memory, whoever does it; "in order" they
 * come as they do to a program that goes through a tree, one directory after the other. Paths are made before the clock runs, each a new flat string as a caller's is, so that
 * nobody finds it hashed or has to put it together.
 */
import { type FileTree, directoryOf, pathOf, type Shape } from "./file-trees.ts";

/** Operations timed at once: so many that it does not matter what the other contenders have left in the processor's caches. */
export const batch = 1000;
/** Turns that do not count: the compiler needs them. */
export const warmUp = 20;
/** More turns than there ever are. */
const turnsMax = 60;
const kilo64 = 65_536;
const third = 1 / 3;
const nearly = 1 / 0.9;

export interface Operation {
  readonly row: string;
  /** Metadata has to be three times as quick as any peer, bytes nearly as quick as the quickest. */
  readonly atMost: number;
  /** Only those count that do this. */
  readonly copiesUp?: boolean;
  /** What has to be there. */
  readonly needs?: (number: number, round: number) => string;
  /** The paths of the number-th of a round's operations. */
  readonly path: (number: number, round: number) => string;
  readonly to?: (number: number, round: number) => string;
  readonly once: (tree: FileTree, path: string, to: string) => unknown;
}

export function operations(shape: Shape): Operation[] {
  return [...looking(shape), ...changing(shape), ...inOrder(shape), ...bytes()];
}

type PathOf = (number: number, round: number) => string;

/** Each file once, as far as there are that many; then the same ones each time. */
function looking({ files }: Shape): Operation[] {
  const some: PathOf = (number) => pathOf((number * 7919) % files);
  const other = (number: number, round: number): string => some(round * batch + number, 0);
  const later: PathOf = (number, round) => other(number, turnsMax + round);
  const within: PathOf = (number) => directoryOf((number * 7919) % files);
  const exists: Operation["once"] = (tree, path) => tree.exists(path);
  const stat: Operation["once"] = (tree, path) => tree.stat(path);
  return [
    { row: "lookup", atMost: third, path: other, once: exists },
    { row: "stat", atMost: third, path: later, once: stat },
    { row: "lookup again", atMost: third, path: some, once: exists },
    { row: "stat again", atMost: third, path: some, once: stat },
    { row: "readdir", atMost: third, path: within, once: (tree, path) => tree.list(path) },
  ];
}

function changing({ files }: Shape): Operation[] {
  const made =
    (row: string): PathOf =>
    (number, round) =>
      `${directoryOf((number * 7919) % files)}/${row}${round}-${number}`;
  const next: PathOf = (number, round) => pathOf((round * batch + number) % files);
  const chmod: Operation["once"] = (tree, path) => tree.chmod(path);
  const rename: Operation["once"] = (tree, path, to) => tree.rename(path, to);
  const isRoomy = files >= turnsMax * batch;
  return [
    ...(isRoomy ? [{ row: "copy-up", atMost: third, copiesUp: true, path: next, once: chmod }] : []),
    { row: "chmod again", atMost: third, path: pathOf, once: chmod },
    { row: "create", atMost: third, path: made("c"), once: (tree, path) => tree.create(path) },
    { row: "rename", atMost: third, needs: made("r"), path: made("r"), to: made("s"), once: rename },
    { row: "unlink", atMost: third, needs: made("u"), path: made("u"), once: (tree, path) => tree.unlink(path) },
  ];
}

/** Where there are more directories than a turn has operations. */
function inOrder({ files, layers }: Shape): Operation[] {
  const file = (number: number, round: number): number => (files - 1 - round * batch - number + files) % files;
  const path: PathOf = (number, round) => pathOf(file(number, round));
  const made =
    (row: string): PathOf =>
    (number, round) =>
      `${directoryOf(file(number, round))}/${row}${round}-${number}`;
  const rename: Operation["once"] = (tree, from, to) => tree.rename(from, to);
  if (files < turnsMax * batch || layers > 1) return [];
  return [
    { row: "stat in order", atMost: third, path, once: (tree, each) => tree.stat(each) },
    { row: "create in order", atMost: third, path: made("v"), once: (tree, each) => tree.create(each) },
    { row: "rename in order", atMost: third, needs: made("w"), path: made("w"), to: made("x"), once: rename },
    {
      row: "unlink in order",
      atMost: third,
      needs: made("y"),
      path: made("y"),
      once: (tree, each) => tree.unlink(each),
    },
  ];
}

function bytes(): Operation[] {
  const some: PathOf = (number) => pathOf(number % 97);
  const few: PathOf = (number) => pathOf(number % 8);
  const write = (length: number): Operation["once"] => {
    const written = new Uint8Array(length).fill(7);
    return (tree, path) => tree.write(path, written);
  };
  const read = (length: number): Operation["once"] => {
    const target = new Uint8Array(length);
    return (tree, path) => tree.read(path, target);
  };
  return [
    { row: "write 64 KiB", atMost: nearly, path: some, once: write(kilo64) },
    { row: "read 64 KiB", atMost: nearly, path: some, once: read(kilo64) },
    { row: "write 1 MiB", atMost: nearly, path: few, once: write(1 << 20) },
    { row: "read 1 MiB", atMost: nearly, path: few, once: read(1 << 20) },
  ];
}

/** Microseconds of processor time an operation, so that who else is busy does not count. */
export function timed(tree: FileTree, { needs, path, to, once }: Operation, round: number, count: number): number {
  const numbers = Array.from({ length: count }, (_, number) => number);
  if (needs !== undefined) for (const number of numbers) tree.create(flat(needs(number, round)));
  const paths = numbers.map((number) => flat(path(number, round)));
  const targets = numbers.map((number) => (to === undefined ? "" : flat(to(number, round))));
  const begin = process.cpuUsage();
  for (let number = 0; number < count; number++) once(tree, paths[number] as string, targets[number] as string);
  const { user, system } = process.cpuUsage(begin);
  return (user + system) / count;
}

function flat(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}
