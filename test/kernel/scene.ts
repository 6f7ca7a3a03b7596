/** Where random scripts play: the same in both worlds. */
import type { Sys } from "../../backends/sim/kernel/sys.ts";
import { ownGroup } from "../userland/fixture.ts";
import { enterOwnGroups, inOwnGroups } from "../userland/own-groups.ts";
import { playInSimulator } from "./actors.ts";
import { groups, scene } from "./random.ts";
import { play, playForReal } from "./real.ts";

async function setInSimulator(sys: Sys): Promise<void> {
  sys.makeDirectory(scene, 0o755);
  sys.mount("tmpfs", "none", scene, [], "");
  sys.makeDirectory(groups, 0o755);
  sys.makeDirectory(`/sys/fs/cgroup/${ownGroup}`, 0o755);
  const fd = await sys.open(`/sys/fs/cgroup/${ownGroup}/cgroup.procs`, { access: "write" });
  await sys.write(fd, new TextEncoder().encode("0"));
  sys.close(fd);
  sys.unshare(["cgroup"]);
  sys.mount("cgroup2", "none", groups, [], "");
}

const setForReal = [
  enterOwnGroups,
  `mount -t tmpfs none ${scene}; mkdir ${groups}`,
  // The mount shows what the namespace of its maker does.
  `exec unshare -C sh -ec 'mount -t cgroup2 none ${groups}; ${play}' "$0"`,
].join("; ");

export function playInScene(script: readonly string[]): Promise<string[]> {
  return playInSimulator(script, setInSimulator);
}

export function playInRealScene(actors: string, script: readonly string[]): string[] {
  return inOwnGroups(() => playForReal(actors, script, setForReal));
}
