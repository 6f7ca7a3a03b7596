/**
 * What a container wrote, told from its upper directory and the layers below it, in docker diff's
 * letters; the simulator's is core/unionfs/diff.ts. The container may be running: its directory is
 * walked by descriptors, never through a symlink. Layers below change no more and are asked by path.
 *
 * node:fs cannot read extended attributes, so an upper directory that hides the one below it (removed
 * and made anew) counts as merged with it: what has the same name below is told as changed, not added.
 */
import * as fs from "node:fs";
import { decodeBytes, encodeText } from "../../core/base/bytes.ts";
import type { Difference } from "../../core/unionfs/diff.ts";
import { asErrno, failedWith } from "./errors.ts";
import type { UnionPart } from "./union-file.ts";

/** open(2); node:fs does not name it. The same on x86-64 and arm64. */
const O_PATH = 0o10000000;
const { O_DIRECTORY, O_NOFOLLOW } = fs.constants;

/** A directory of a layer below, and its path in the union. */
interface Below {
  readonly part: UnionPart;
  readonly directory: string;
}

/** Sorted by path. `parts` are the layers below, top first. */
export function writtenDifferences(upper: string, parts: readonly UnionPart[]): Difference[] {
  const found: Difference[] = [];
  const fd = fs.openSync(upper, O_PATH | O_NOFOLLOW | O_DIRECTORY);
  try {
    const below = parts.map((part) => ({ part, directory: part.directory }));
    walk(fd, below, "", found);
  } catch (thrown) {
    throw asErrno(thrown);
  } finally {
    fs.closeSync(fd);
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function walk(fd: number, below: readonly Below[], path: string, found: Difference[]): void {
  for (const raw of fs.readdirSync(`/proc/self/fd/${fd}`, { encoding: "buffer" })) {
    const name = decodeBytes(raw);
    const at = `${path}/${name}`;
    const stats = statOf(`/proc/self/fd/${fd}`, name);
    if (stats === null) continue; // the container has removed it meanwhile
    if (isWhiteout(stats)) {
      found.push({ kind: "D", path: at });
      continue;
    }
    const beneath = beneathOf(below, name);
    found.push({ kind: beneath.isThere ? "C" : "A", path: at });
    if (stats.isDirectory())
      within(fd, name, (child) => walk(child, untilOpaque(beneath.directories, at.slice(1)), at, found));
  }
}

function within(fd: number, name: string, act: (child: number) => void): void {
  const child = openBeneath(fd, name);
  if (child === null) return;
  try {
    act(child);
  } finally {
    fs.closeSync(child);
  }
}

/** Null when it is no directory any more. */
function openBeneath(fd: number, name: string): number | null {
  try {
    return fs.openSync(bytesOf(`/proc/self/fd/${fd}`, name), O_PATH | O_NOFOLLOW | O_DIRECTORY);
  } catch (thrown) {
    if (failedWith(thrown, "ENOENT", "ENOTDIR", "ELOOP")) return null;
    throw thrown;
  }
}

/** Whether the layers below show the name, and the directories of it that merge. */
function beneathOf(below: readonly Below[], name: string): { isThere: boolean; directories: Below[] } {
  const directories: Below[] = [];
  for (const { part, directory } of below) {
    const stats = statOf(directory, name);
    if (stats === null) continue;
    if (stats.isDirectory()) directories.push({ part, directory: `${directory}/${name}` });
    else return { isThere: directories.length > 0 || !isWhiteout(stats), directories };
  }
  return { isThere: directories.length > 0, directories };
}

function untilOpaque(below: readonly Below[], path: string): readonly Below[] {
  const opaque = below.findIndex(({ part }) => part.isOpaque(path));
  return opaque < 0 ? below : below.slice(0, opaque + 1);
}

function statOf(directory: string, name: string): fs.Stats | null {
  try {
    return fs.lstatSync(bytesOf(directory, name), { throwIfNoEntry: false }) ?? null;
  } catch (thrown) {
    if (failedWith(thrown, "ENOTDIR", "ENAMETOOLONG")) return null;
    throw thrown;
  }
}

/** Names are bytes: what is not UTF-8 stays what it is. */
function bytesOf(directory: string, name: string): Buffer {
  return Buffer.from(encodeText(`${directory}/${name}`));
}

function isWhiteout(stats: fs.Stats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0;
}
