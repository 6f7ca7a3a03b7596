import assert from "node:assert/strict";
import { test } from "node:test";
import { Errno } from "../../../core/base/errno.ts";
import { inProcess, readFile, smallHost, writeFile } from "../testing/small-host.ts";
import type { Sys } from "./sys.ts";

const root = "/sys/fs/cgroup";

async function written(sys: Sys, path: string, text: string): Promise<string> {
  try {
    await writeFile(sys, `${root}/${path}`, text);
    return "written";
  } catch (thrown) {
    if (thrown instanceof Errno) return thrown.errno;
    throw thrown;
  }
}

test("a group has the controllers that the one above hands down, and their files", async () => {
  const seen = await inProcess(smallHost(), async (sys) => {
    sys.makeDirectory(`${root}/a`, 0o755);
    sys.makeDirectory(`${root}/a/b`, 0o755);
    const names = (): string[] => sys.list(`${root}/a/b`).map(({ name }) => name);
    const before = names().some((name) => name.startsWith("memory."));
    const result = await written(sys, "a/cgroup.subtree_control", "+memory +pids");
    const after = names().some((name) => name.startsWith("memory."));
    return [before, result, after, await readFile(sys, `${root}/a/b/cgroup.controllers`)];
  });
  assert.deepEqual(seen, [false, "written", true, "memory pids\n"]);
});

test("what cannot be handed down is refused as the kernel refuses it", async () => {
  const seen = await inProcess(smallHost(), async (sys) => {
    sys.makeDirectory(`${root}/a`, 0o755);
    sys.makeDirectory(`${root}/a/b`, 0o755);
    return [
      await written(sys, "a/cgroup.subtree_control", "+nosuch"),
      await written(sys, "a/b/cgroup.subtree_control", "+memory"),
      await written(sys, "a/cgroup.procs", "0"),
      await written(sys, "a/cgroup.subtree_control", "+memory"),
      await written(sys, "cgroup.procs", "0"),
      await written(sys, "a/cgroup.subtree_control", "+memory"),
      await written(sys, "a/cgroup.procs", "0"),
      await written(sys, "a/b/cgroup.subtree_control", "+memory"),
      await written(sys, "a/cgroup.subtree_control", "-memory"),
    ];
  });
  assert.deepEqual(seen, ["EINVAL", "ENOENT", "written", "EBUSY", "written", "written", "EBUSY", "written", "EBUSY"]);
});

test("memory moves with the process that holds it", async () => {
  const seen = await inProcess(smallHost(), async (sys) => {
    for (const name of ["a", "b"]) sys.makeDirectory(`${root}/${name}`, 0o755);
    await written(sys, "a/cgroup.procs", "0");
    sys.allocate(4096);
    await written(sys, "b/cgroup.procs", "0");
    return [await readFile(sys, `${root}/a/memory.current`), await readFile(sys, `${root}/b/memory.current`)];
  });
  assert.deepEqual(seen, ["0\n", "4096\n"]);
});
