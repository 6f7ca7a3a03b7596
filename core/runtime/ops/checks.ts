/** Checks of an op's fields: each returns what is wrong, null when nothing is. */
import { type Capability, capabilityNumbers } from "../capabilities.ts";
import { isContainerPath } from "../container-path.ts";
import type { Cgroup, IdMaps, MountFlag } from "../plan.ts";

export const fine = (): null => null;

export function firstProblem(problems: readonly (string | null)[]): string | null {
  return problems.find((problem) => problem !== null) ?? null;
}

export function hostPath(path: string): string | null {
  return isContainerPath(path) ? null : `${JSON.stringify(path)} is no absolute path of the host`;
}

export function containerPath(path: string): string | null {
  return isContainerPath(path) ? null : `${JSON.stringify(path)} is no absolute path in the container`;
}

/** A path beneath the root, not the root itself. */
export function targetPath(path: string): string | null {
  return containerPath(path) ?? (/^\/+$/.test(path) ? "the root itself cannot be covered" : null);
}

export function ownCgroup(cgroup: Cgroup): string | null {
  return anyCgroup(cgroup) ?? (cgroup.path === "" ? "the root of a hierarchy is the host's" : null);
}

export function anyCgroup({ mount, path }: Cgroup): string | null {
  const parts = path === "" ? [] : path.split("/");
  const climbs = parts.some((part) => part === "" || part === "." || part === "..");
  return hostPath(mount) ?? (climbs ? `${JSON.stringify(path)} is no path of a cgroup` : null);
}

export function permissions(mode: number): string | null {
  return isWhole(mode, 0o7777) ? null : `${mode} is no file mode`;
}

export function isWhole(value: number, most: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= most;
}

/** The last id stands for "unchanged" in setresuid(2). */
export function id(value: number): string | null {
  return isWhole(value, 0xfffffffe) ? null : `${value} is no user or group id`;
}

export function limit(value: number): string | null {
  return value === -1 || isWhole(value, Number.MAX_SAFE_INTEGER) ? null : `${value} is no limit`;
}

export function mountFlags(flags: readonly MountFlag[]): string | null {
  return new Set(flags).size === flags.length ? null : "a mount flag is given twice";
}

export function knownCapabilities(capabilities: readonly Capability[]): string | null {
  const unknown = capabilities.find((capability) => !Object.hasOwn(capabilityNumbers, capability));
  return unknown === undefined ? null : `unknown capability ${unknown}`;
}

/** Ranges must not overlap, and somebody has to be root inside (user_namespaces(7)). */
export function maps({ uids, gids }: IdMaps): string | null {
  return firstProblem(
    [uids, gids].map((ranges) => {
      if (!ranges.some(({ inside }) => inside === 0)) return "nobody is root in the user namespace";
      if (ranges.some(({ count }) => count < 1)) return "an id map is empty";
      return overlaps(ranges, "inside") || overlaps(ranges, "outside") ? "id maps overlap" : null;
    }),
  );
}

function overlaps(ranges: IdMaps["uids"], side: "inside" | "outside"): boolean {
  const sorted = ranges.toSorted((one, other) => one[side] - other[side]);
  return sorted.some((range, index) => {
    const next = sorted[index + 1];
    return next !== undefined && range[side] + range.count > next[side];
  });
}
