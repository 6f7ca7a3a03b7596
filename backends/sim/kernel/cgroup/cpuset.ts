/** The cpuset controller: which processors and memory nodes a group may use. This machine has one of each, number 0. */
import { Errno } from "../../../../core/base/errno.ts";
import type { Cgroup } from "./group.ts";

export interface CpusetState {
  /** What was written: "" is what the group around has, in version 2, and nothing in version 1. */
  cpus: string;
  mems: string;
}

const all = "0";

export function newCpusetState({ hierarchy, parent, flags }: Cgroup): CpusetState {
  if (hierarchy.version === 2) return { cpus: "", mems: "" };
  if (parent === null) return { cpus: all, mems: all };
  return flags.has("clone") && parent.states.cpuset !== null ? { ...parent.states.cpuset } : { cpus: "", mems: "" };
}

/** A list like "0-2,5" as the kernel shows it. EINVAL for what is none, ERANGE for one that the machine does not have. */
export function parseCpuList(text: string): string {
  const words = text.trim().split(/[,\s]+/);
  for (const word of words.filter((each) => each !== "")) {
    const [, low = "", high = low] = /^(\d+)(?:-(\d+))?$/.exec(word) ?? [];
    if (low === "" || Number(low) > Number(high)) throw new Errno("EINVAL");
    if (Number(high) > 0) throw new Errno("ERANGE");
  }
  return words.some((each) => each !== "") ? all : "";
}

/** What the group really has. */
export function effectiveSet(group: Cgroup, which: "cpus" | "mems"): string {
  const own = group.states.cpuset?.[which] ?? "";
  if (own !== "" || group.hierarchy.version === 1) return own;
  return all;
}
