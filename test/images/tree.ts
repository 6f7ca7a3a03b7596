/** A file tree as GNU find and sha256sum tell it: what two unpacked trees are compared by. */
import { execFileSync } from "node:child_process";

/** Everything that a tree's entries say of themselves: path, kind, mode, owner, time, target, number of names. */
export function tree(directory: string, format = "%P|%y|%m|%U:%G|%T@|%l|%n|"): string[] {
  const listing = execFileSync("find", [directory, "-mindepth", "1", "-printf", `${format}\\n`], {
    maxBuffer: 1 << 26,
  });
  const sums = execFileSync("sh", ["-c", "find . -type f -print0 | sort -z | xargs -0 sha256sum"], {
    cwd: directory,
    maxBuffer: 1 << 26,
  });
  const entries = String(listing).trimEnd().split("\n");
  return [...entries.toSorted(), ...String(sums).trimEnd().split("\n")];
}
