/**
 * The union tree against the kernel's overlayfs: the same random operations are done to both, and
 * every errno, every merged view and every upper tree must be equal. Needs root for mount(2).
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { Errno } from "../../core/base/errno.ts";
import type { FileSystem, Inode } from "../../core/unionfs/file-system.ts";
import type { Branch } from "../../core/unionfs/marks.ts";
import { Overlay } from "../../core/unionfs/overlay.ts";
import { Tree } from "../../core/unionfs/tree.ts";

const isRoot = process.getuid?.() === 0;
const reason = isRoot ? false : "mounting overlayfs needs root";

type Action =
  | { do: "mkdir" | "rmdir" | "unlink"; path: string }
  | { do: "write" | "symlink"; path: string; text: string }
  | { do: "truncate" | "chmod"; path: string; number: number }
  | { do: "rename" | "link"; path: string; to: string };

const names = fc.constantFrom("a", "b", "c");
const paths = fc.array(names, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
const actions: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ do: fc.constantFrom("mkdir", "mkdir", "rmdir", "unlink"), path: paths }),
  fc.record({ do: fc.constantFrom("write", "write", "symlink"), path: paths, text: fc.constantFrom("x", "yy", "zzz") }),
  fc.record({ do: fc.constantFrom("truncate"), path: paths, number: fc.integer({ min: 0, max: 5 }) }),
  fc.record({ do: fc.constantFrom("chmod"), path: paths, number: fc.constantFrom(0o600, 0o755, 0o4711) }),
  fc.record({ do: fc.constantFrom("rename", "rename", "link"), path: paths, to: paths }),
);

test("random operations give what the kernel's overlayfs gives", { skip: reason }, () => {
  const runs = Number(process.env["TSBOX_TEST_RUNS"] ?? 40);
  fc.assert(
    fc.property(
      fc.array(fc.array(actions, { maxLength: 12 }), { minLength: 1, maxLength: 3 }),
      fc.array(actions, { maxLength: 25 }),
      compare,
    ),
    { numRuns: runs },
  );
});

function compare(layers: Action[][], above: Action[]): void {
  const directory = fs.mkdtempSync("/dev/shm/tsbox-overlay-");
  try {
    const lowers = layers.map((layer, number) => buildLayer(join(directory, `l${number}`), layer));
    for (const name of ["upper", "work", "merged"]) fs.mkdirSync(join(directory, name));
    compareMounted(directory, lowers, above);
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
}

function compareMounted(directory: string, lowers: Tree[], above: Action[]): void {
  const merged = join(directory, "merged");
  const upper = new Tree(tick());
  const union = new Overlay(branch(upper), lowers.toReversed().map(branch));
  mount(directory, lowers.length);
  try {
    for (const action of above) assert.equal(onTree(union, action), onDisk(merged, action), JSON.stringify(action));
    assert.deepEqual(viewOfTree(union), viewOfDisk(merged));
  } finally {
    execFileSync("umount", [merged]);
  }
  assert.deepEqual(viewOfTree(upper), viewOfDisk(join(directory, "upper")), "the upper trees");
  mount(directory, lowers.length);
  try {
    assert.deepEqual(
      viewOfTree(new Overlay(branch(upper), lowers.toReversed().map(branch))),
      viewOfDisk(merged),
      "the remounted unions",
    );
  } finally {
    execFileSync("umount", [merged]);
  }
}

function mount(directory: string, count: number): void {
  const lower = Array.from({ length: count }, (_, number) => join(directory, `l${number}`)).toReversed();
  const options = `index=off,redirect_dir=off,metacopy=off,lowerdir=${lower.join(":")},upperdir=${join(directory, "upper")},workdir=${join(directory, "work")}`;
  execFileSync("mount", ["-t", "overlay", "overlay", "-o", options, join(directory, "merged")]);
}

function buildLayer(path: string, layer: Action[]): Tree {
  fs.mkdirSync(path);
  const tree = new Tree(tick());
  for (const action of layer) assert.equal(onTree(tree, action), onDisk(path, action), JSON.stringify(action));
  return tree;
}

function branch(tree: Tree): Branch {
  return { tree, root: tree.root };
}

function tick(): () => bigint {
  let now = 0n;
  return () => ++now;
}

function onDisk(root: string, action: Action): string {
  const path = join(root, action.path);
  if (throughSymlink(root, action.path) || ("to" in action && throughSymlink(root, action.to))) return "skipped";
  try {
    switch (action.do) {
      case "mkdir":
        fs.mkdirSync(path);
        break;
      case "rmdir":
        fs.rmdirSync(path);
        break;
      case "unlink":
        fs.unlinkSync(path);
        break;
      case "write":
        fs.closeSync(writeTo(path, action.text));
        break;
      case "symlink":
        fs.symlinkSync(action.text, path);
        break;
      case "truncate":
        fs.truncateSync(path, action.number);
        break;
      case "chmod":
        fs.chmodSync(path, action.number);
        break;
      case "rename":
        fs.renameSync(path, join(root, action.to));
        break;
      case "link":
        fs.linkSync(path, join(root, action.to));
        break;
    }
    return "done";
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code ?? String(thrown);
  }
}

function writeTo(path: string, text: string): number {
  const file = fs.openSync(path, fs.constants.O_WRONLY | fs.constants.O_CREAT, 0o644);
  fs.writeSync(file, text, 0);
  return file;
}

/** Symlinks are compared as files; following them is the kernel's walk, not the union's. */
function throughSymlink(root: string, path: string): boolean {
  let at = root;
  for (const part of path.split("/")) {
    if (!fs.lstatSync(at).isDirectory()) return false;
    at = join(at, part);
    const stat = fs.lstatSync(at, { throwIfNoEntry: false });
    if (stat === undefined || stat.isSymbolicLink()) return stat !== undefined;
  }
  return false;
}

function onTree(tree: FileSystem, action: Action): string {
  try {
    if (followsSymlink(tree, action.path) || ("to" in action && followsSymlink(tree, action.to))) return "skipped";
    perform(tree, action);
    return "done";
  } catch (thrown) {
    if (thrown instanceof Errno) return thrown.errno;
    throw thrown;
  }
}

function perform(tree: FileSystem, action: Action): void {
  const { directory, name } = parentOf(tree, action.path);
  const owner = { uid: 0, gid: 0 };
  switch (action.do) {
    case "mkdir":
      tree.create(directory, name, { kind: "directory", mode: 0o755, ...owner });
      return;
    case "rmdir":
      return tree.forget(tree.removeDirectory(directory, name));
    case "unlink":
      return tree.forget(tree.unlink(directory, name));
    case "write": {
      const file =
        existing(tree, directory, name) ?? tree.create(directory, name, { kind: "file", mode: 0o644, ...owner });
      if (tree.stat(file).kind === "directory") throw new Errno("EISDIR");
      return tree.write(file, 0, new TextEncoder().encode(action.text));
    }
    case "symlink":
      tree.create(directory, name, { kind: "symlink", target: action.text, mode: 0o777, ...owner });
      return;
    case "truncate":
      return tree.truncate(tree.lookup(directory, name), action.number);
    case "chmod":
      return tree.setAttributes(tree.lookup(directory, name), { mode: action.number });
    case "rename": {
      const to = parentOf(tree, action.to);
      tree.rename(directory, name, to.directory, to.name);
      return;
    }
    case "link": {
      const target = tree.lookup(directory, name);
      const to = parentOf(tree, action.to);
      return tree.link(to.directory, to.name, target);
    }
  }
}

function existing(tree: FileSystem, directory: Inode, name: string): Inode | null {
  return tree.list(directory).find((entry) => entry.name === name)?.inode ?? null;
}

function parentOf(tree: FileSystem, path: string): { directory: Inode; name: string } {
  const parts = path.split("/");
  const name = parts.pop() ?? "";
  const directory = parts.reduce((at, part) => tree.lookup(at, part), tree.root);
  if (tree.stat(directory).kind !== "directory") throw new Errno("ENOTDIR");
  return { directory, name };
}

function followsSymlink(tree: FileSystem, path: string): boolean {
  let at = tree.root;
  for (const part of path.split("/")) {
    const next = tree.stat(at).kind === "directory" ? existing(tree, at, part) : null;
    if (next === null) return false;
    if (tree.stat(next).kind === "symlink") return true;
    at = next;
  }
  return false;
}

type View = Record<string, string>;

function viewOfTree(tree: FileSystem, directory: Inode = tree.root, path = ""): View {
  return Object.assign(
    {},
    ...tree.list(directory).map(({ name, inode }) => {
      const stat = tree.stat(inode);
      const at = `${path}/${name}`;
      const body =
        stat.kind === "file"
          ? Buffer.from(tree.read(inode, 0, stat.size)).toString()
          : stat.kind === "symlink"
            ? tree.readlink(inode)
            : "";
      const links = stat.kind === "directory" || stat.kind === "character" ? "-" : stat.links;
      const own = { [at]: `${stat.kind} ${stat.mode.toString(8)} ${links} ${stat.major}:${stat.minor} ${body}` };
      return stat.kind === "directory" ? { ...own, ...viewOfTree(tree, inode, at) } : own;
    }),
  ) as View;
}

function viewOfDisk(root: string, path = ""): View {
  return Object.assign(
    {},
    ...fs.readdirSync(join(root, path)).map((name) => {
      const at = `${path}/${name}`;
      const stat = fs.lstatSync(join(root, at));
      const kind = kindOf(stat);
      const body =
        kind === "file"
          ? fs.readFileSync(join(root, at), "utf8")
          : kind === "symlink"
            ? fs.readlinkSync(join(root, at))
            : "";
      const links = kind === "directory" || isWhiteout(stat) ? "-" : stat.nlink;
      const own = {
        [at]: `${kind} ${(stat.mode & 0o7777).toString(8)} ${links} ${stat.rdev >> 8}:${stat.rdev & 255} ${body}`,
      };
      return kind === "directory" ? { ...own, ...viewOfDisk(root, at) } : own;
    }),
  ) as View;
}

/** The kernel links all whiteouts of a mount to one inode; their link count says nothing. */
function isWhiteout(stat: fs.Stats): boolean {
  return stat.isCharacterDevice() && stat.rdev === 0;
}

function kindOf(stat: fs.Stats): string {
  if (stat.isDirectory()) return "directory";
  if (stat.isSymbolicLink()) return "symlink";
  return stat.isCharacterDevice() ? "character" : "file";
}
