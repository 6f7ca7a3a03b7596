/** podman as a peer, with a storage of its own and runc beneath. */
import { existsSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { onPath, timeCommand } from "./command.ts";
import type { Contender } from "./interleave.ts";

export interface Peer extends Contender {
  /** Lets go of the storage, which holds a mount. */
  readonly close: () => void;
}

/** `podman run --rm` of busybox true from this archive, or null when podman is not here. */
export function podmanContender(directory: string, image: string): Peer | null {
  if (!onPath("podman") || !onPath("runc")) return null;
  const storage = join(directory, "podman");
  const global = [
    ["--root", storage, "--runroot", join(directory, "pr"), "--storage-driver", "overlay"],
    ["--runtime", "runc", "--cgroup-manager", "cgroupfs", "--events-backend", "none"],
  ].flat();
  const podman = (...args: readonly string[]): number => timeCommand({ program: "podman", args: [...global, ...args] });
  // Hard limits that podman would raise and that a root without CAP_SYS_RESOURCE cannot.
  const limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"];
  const once = (): Promise<number> =>
    Promise.resolve(podman("run", "--rm", "--network", "none", ...limits, "busybox", "true"));
  const before = leftByPodman();
  podman("load", "-q", "-i", image);
  const close = (): void => {
    podman("system", "reset", "--force");
    rmSync(storage, { recursive: true, force: true });
    for (const path of leftByPodman().filter((each) => !before.includes(each))) removeCgroup(path);
  };
  return { name: "podman", once, close };
}

/** The cgroups that podman keeps for good. */
function leftByPodman(): string[] {
  const hierarchies = readdirSync("/sys/fs/cgroup").map((name) => `/sys/fs/cgroup/${name}`);
  return ["/sys/fs/cgroup", ...hierarchies]
    .map((path) => join(path, "libpod_parent"))
    .filter((path) => existsSync(path));
}

/** A cgroup goes only when those within have gone and its last process is reaped. */
function removeCgroup(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) removeCgroup(join(path, entry.name));
  }
  for (let tries = 0; existsSync(path); tries++) {
    try {
      rmdirSync(path);
    } catch (error) {
      if (tries >= 50) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    }
  }
}
