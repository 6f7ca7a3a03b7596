import assert from "node:assert/strict";
import { test } from "node:test";
import { Errno } from "../../../../core/base/errno.ts";
import { inProcess, readFile, smallHost, writeFile } from "../../testing/small-host.ts";
import type { Sys } from "../sys.ts";

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

test("memory is charged where it was taken, until it is given back", async () => {
  const seen = await inProcess(smallHost(), async (sys) => {
    for (const name of ["a", "b"]) sys.makeDirectory(`${root}/${name}`, 0o755);
    const held = async (): Promise<string[]> =>
      Promise.all(["a", "b"].map(async (name) => (await readFile(sys, `${root}/${name}/memory.current`)).trim()));
    await written(sys, "a/cgroup.procs", "0");
    sys.allocate(8192);
    await written(sys, "b/cgroup.procs", "0");
    const moved = await held();
    sys.allocate(4096);
    const more = await held();
    sys.allocate(-8192);
    return [moved, more, await held()];
  });
  assert.deepEqual(seen, [
    ["8192", "0"],
    ["8192", "4096"],
    ["4096", "0"],
  ]);
});

/** Lives until a time, computing all along; how much processor time each group got. */
async function shares(weights: Readonly<Record<string, { weight: string; processes: number }>>): Promise<number[]> {
  return inProcess(smallHost(), async (sys) => {
    const until = sys.now() + 2_000_000_000n;
    const names = Object.keys(weights);
    for (const [name, { weight, processes }] of Object.entries(weights)) {
      sys.makeDirectory(`${root}/${name}`, 0o755);
      await written(sys, `${name}/cpu.weight`, weight);
      for (let count = 0; count < processes; count++)
        sys.fork(async (child) => {
          await written(child, `${name}/cgroup.procs`, "0");
          while (child.now() < until) await child.work(100_000);
          return 0;
        });
    }
    for (;;) if ((await sys.wait(-1).catch(() => null)) === null) break;
    const used = names.map(async (name) => /usage_usec (\d+)/.exec(await readFile(sys, `${root}/${name}/cpu.stat`)));
    return (await Promise.all(used)).map((match) => Math.round(Number(match?.[1]) / 20_000));
  });
}

test("groups share the processor by their weights, however many processes are in them", async () => {
  const close = (got: readonly number[], wanted: readonly number[]): void => {
    for (const [at, percent] of wanted.entries())
      assert.ok(Math.abs((got[at] ?? 0) - percent) <= 2, `${got.join()} is not ${wanted.join()}`);
  };
  close(await shares({ a: { weight: "100", processes: 1 }, b: { weight: "100", processes: 4 } }), [50, 50]);
  close(await shares({ a: { weight: "300", processes: 2 }, b: { weight: "100", processes: 1 } }), [75, 25]);
  close(await shares({ a: { weight: "1", processes: 1 }, b: { weight: "99", processes: 1 } }), [1, 99]);
});

test("of the processes of a group one that is nicer by five has a third of what another has", async () => {
  const used = await inProcess(smallHost(), async (sys) => {
    const until = sys.now() + 1_000_000_000n;
    const worked = [0, 0];
    for (const [at, nice] of [0, 5].entries())
      sys.fork(async (child) => {
        child.setPriority("process", 0, nice);
        for (; child.now() < until; worked[at] = (worked[at] ?? 0) + 1) await child.work(100_000);
        return 0;
      });
    for (;;) if ((await sys.wait(-1).catch(() => null)) === null) break;
    return worked;
  });
  const [plain = 0, nicer = 1] = used;
  assert.ok(Math.abs(plain / nicer - 1024 / 335) < 0.1, used.join());
});

test("over the limit one is killed, or all of a group that goes together", async () => {
  const killed = async (together: string): Promise<string[]> =>
    inProcess(smallHost(), async (sys) => {
      sys.makeDirectory(`${root}/a`, 0o755);
      await written(sys, "a/memory.max", "1M");
      await written(sys, "a/memory.oom.group", together);
      const enter = async (child: Sys): Promise<unknown> => written(child, "a/cgroup.procs", "0");
      const idle = sys.fork(async (child) => {
        await enter(child);
        await child.sleep(10_000_000n);
        return 0;
      });
      sys.fork(async (child) => {
        await enter(child);
        await child.sleep(1_000_000n);
        for (let part = 0; part < 4; part++) child.allocate(512 << 10);
        return 0;
      });
      const ends = [await sys.wait(-1), await sys.wait(-1)].map(
        (end) => `${end?.pid === idle ? "idle" : "hog"} ${end?.kind}`,
      );
      const events = await readFile(sys, `${root}/a/memory.events`);
      return [...ends.sort(), events.replaceAll("\n", ", ")];
    });
  assert.deepEqual(await killed("0"), [
    "hog killed",
    "idle exited",
    "low 0, high 0, max 1, oom 1, oom_kill 1, oom_group_kill 0, ",
  ]);
  assert.deepEqual(await killed("1"), [
    "hog killed",
    "idle killed",
    "low 0, high 0, max 1, oom 1, oom_kill 2, oom_group_kill 1, ",
  ]);
});

test("a limit set below what is held ends who holds it; a new cpu quota is the kernel's or refused", async () => {
  const seen = await inProcess(smallHost(), async (sys) => {
    sys.makeDirectory(`${root}/a`, 0o755);
    const hog = sys.fork(async (child) => {
      await written(child, "a/cgroup.procs", "0");
      child.allocate(1 << 20);
      await child.pause();
      return 0;
    });
    await sys.sleep(1_000_000n);
    const refused = await Promise.all(
      ["max", "500", "x 1000", "1000 999", "1000 1000001", "2000 1000", "max 5000"].map((text) =>
        written(sys, "a/cpu.max", text),
      ),
    );
    const quota = await readFile(sys, `${root}/a/cpu.max`);
    await written(sys, "a/memory.max", "4096");
    const end = await sys.wait(hog);
    return [refused, quota, end?.kind, await readFile(sys, `${root}/a/memory.max`)];
  });
  const errors = ["written", "EINVAL", "EINVAL", "EINVAL", "EINVAL", "written", "written"];
  assert.deepEqual(seen, [errors, "max 5000\n", "killed", "4096\n"]);
});
