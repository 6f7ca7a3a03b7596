/** The files of the simulated host beyond what its kernel brings: programs, and who it says it is. */
import type { Inode } from "../core/unionfs/file-system.ts";
import type { Tree } from "../core/unionfs/tree.ts";
import { encodeText } from "../core/base/bytes.ts";
import { programNames } from "../backends/sim/userland/programs.ts";

/** An ELF file by which the kernel knows that a stand-in is meant (kernel/exec.ts). */
const busybox = encodeText("\u007fELF BusyBox v1.35.0, simulated: what it does is in backends/sim/userland");
const ours = encodeText("\u007fELF tsbox, simulated: what it does is in cli");

const osRelease = 'PRETTY_NAME="tsbox simulated host"\nNAME="tsbox"\nID=tsbox\n';
const profile = "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n";

export const clientNames = ["tsbox", "docker"] as const;

export function addRootFiles(tree: Tree): void {
  const bin = directory(tree, tree.root, "bin");
  write(tree, bin, "busybox", busybox, 0o755);
  for (const name of programNames) {
    if (name !== "busybox") tree.create(bin, name, { kind: "symlink", mode: 0o777, uid: 0, gid: 0, target: "busybox" });
  }
  const usrBin = directory(tree, directory(tree, tree.root, "usr"), "bin");
  for (const name of clientNames) write(tree, usrBin, name, ours, 0o755);
  const etc = directory(tree, tree.root, "etc");
  write(tree, etc, "os-release", encodeText(osRelease), 0o644);
  write(tree, etc, "profile", encodeText(profile), 0o644);
}

function directory(tree: Tree, parent: Inode, name: string): Inode {
  const there = tree.list(parent).find((entry) => entry.name === name);
  return there?.inode ?? tree.create(parent, name, { kind: "directory", mode: 0o755, uid: 0, gid: 0 });
}

function write(tree: Tree, parent: Inode, name: string, bytes: Uint8Array, mode: number): void {
  const file = tree.create(parent, name, { kind: "file", mode, uid: 0, gid: 0 });
  tree.setContent(file, bytes);
}

/** Makes `bytes` a file of a directory right below the root; one of that name is replaced. */
export function putFile(tree: Tree, where: string, name: string, bytes: Uint8Array): void {
  const parent = directory(tree, tree.root, where);
  const there = tree.list(parent).find((entry) => entry.name === name);
  if (there?.kind === "directory") return;
  if (there !== undefined) tree.unlink(parent, name);
  write(tree, parent, name, bytes, 0o644);
}
