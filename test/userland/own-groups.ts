/**
 * Control groups of one's own on the real machine: one in each hierarchy, for as long as something runs in them. Needs
 * root, version 1's hierarchies mounted one by one, and version 2's beside them with hugetlb.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hierarchies, ownGroup } from "./fixture.ts";

const root = "/sys/fs/cgroup";
const control = `${root}/unified/cgroup.subtree_control`;

/** Why that is not possible here; null when it is. */
export function whyNoOwnGroups(): string | null {
  if (process.getuid?.() !== 0) return "control groups need root";
  const missing = hierarchies.find((name) => !existsSync(`${root}/${name}/cgroup.procs`));
  if (missing !== undefined) return `the hierarchy ${missing} is not mounted on its own`;
  const controllers = readFileSync(`${root}/unified/cgroup.controllers`, "utf8");
  return controllers.includes("hugetlb") ? null : "version 2's hierarchy does not have hugetlb";
}

/** A line of a shell script: its process enters them. */
export const enterOwnGroups = `for h in ${hierarchies.join(" ")}; do echo 0 > ${root}/$h/${ownGroup}/cgroup.procs; done`;

export function inOwnGroups<T>(act: () => T): T {
  const wasHandedDown = readFileSync(control, "utf8").includes("hugetlb");
  if (!wasHandedDown) writeFileSync(control, "+hugetlb");
  const groups = hierarchies.map((name) => `${root}/${name}/${ownGroup}`);
  try {
    for (const group of groups) if (!existsSync(group)) mkdirSync(group);
    for (const file of ["cpuset.cpus", "cpuset.mems"])
      writeFileSync(`${root}/cpuset/${ownGroup}/${file}`, readFileSync(`${root}/cpuset/${file}`));
    return act();
  } finally {
    for (const group of groups) removeGroups(group);
    if (!wasHandedDown) writeFileSync(control, "-hugetlb");
  }
}

function removeGroups(group: string): void {
  for (const entry of readdirSync(group, { withFileTypes: true }))
    if (entry.isDirectory()) removeGroups(join(group, entry.name));
  for (let times = 0; ; times++) {
    try {
      rmdirSync(group);
      return;
    } catch (thrown) {
      // The last process is still on its way out.
      if (times === 50) throw thrown;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}
