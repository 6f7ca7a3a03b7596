/**
 * The Linux machine's own promises, with real containers: what survives the engine and the helper,
 * what a full disk does, and that nothing is left. What every machine must do is in test/conformance.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import type { ContainerId, HostPath } from "../../core/base/brand.ts";
import { unlimited } from "../../core/runtime/resources.ts";
import type { Machine, Task } from "../../core/engine/machine.ts";
import { openLinuxMachine } from "./machine.ts";
import {
  applyBusybox,
  Container,
  finish,
  makeWorkshop,
  missing,
  textOf,
  untilReady,
  type Wishes,
  type Workshop,
} from "./testing/workshop.ts";

describe("the Linux machine", { skip: missing(), concurrency: false }, () => {
  let workshop: Workshop;
  let machine: Machine;

  before(async () => {
    workshop = makeWorkshop();
    machine = await openLinuxMachine(workshop);
    await applyBusybox(machine);
  });
  after(async () => {
    await machine.close();
    const parents = machine.traits.cgroups.map(({ mount }) => `${mount}/${workshop.cgroupParent}`);
    assert.deepEqual(parents.filter(fs.existsSync), [], "a closed machine leaves no empty cgroup");
    workshop.remove();
  });

  /** What the kernel and the disk hold of this workshop, the machine's own helper aside. */
  function left(id: ContainerId): string[] {
    const mounts = fs
      .readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .filter((line) => line.includes(workshop.directory));
    const cgroups = machine.traits.cgroups
      .map(({ mount }) => `${mount}/${workshop.cgroupParent}/${id}`)
      .filter((path) => fs.existsSync(path));
    const files = fs.readdirSync(workshop.runRoot).concat(fs.readdirSync(`${workshop.dataRoot}/containers`));
    return [...mounts, ...cgroups, ...files, ...processesOf(id)];
  }

  /** Zombies of a killed monitor are init's to reap, whenever it likes. */
  function processesOf(id: ContainerId): string[] {
    const pids = fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name));
    return pids.filter(
      (pid) =>
        textOfFile(`/proc/${pid}/cgroup`).includes(id) && !/^State:\s+Z/m.test(textOfFile(`/proc/${pid}/status`)),
    );
  }

  async function container<T>(script: string, wishes: Wishes, use: (made: Container) => Promise<T>): Promise<T> {
    const made = await Container.create(machine, script, wishes);
    try {
      return await use(made);
    } finally {
      await made.remove(machine);
      assert.deepEqual(left(made.id), [], "what is left");
    }
  }

  async function reopen(): Promise<void> {
    await machine.close();
    machine = await openLinuxMachine(workshop);
  }

  test("a container says hi, and its log and exit are on disk", () =>
    container("echo hi; echo oh >&2; exit 3", {}, async (made) => {
      const { output, exit } = await finish(await made.perform(machine));
      assert.deepEqual(output.split("\n").toSorted(), ["", "hi", "oh"]);
      assert.ok(exit !== "lost");
      assert.deepEqual([exit.code, exit.signal], [3, 0]);
      const log = textOfFile(made.stdio.log ?? "")
        .trim()
        .split("\n");
      assert.deepEqual(log.map((line) => (JSON.parse(line) as { log: string }).log).toSorted(), ["hi\n", "oh\n"]);
      assert.deepEqual(JSON.parse(textOfFile(made.stdio.exit)), { code: 3, signal: 0, at: String(exit.at) });
      assert.deepEqual(await machine.recover({ container: made.id, exec: null }), exit);
    }));

  test("a container runs again after its end, and the old exit is not taken for the new one", () =>
    container("read x || true; exit 4", {}, async (made) => {
      await finish(await made.perform(machine));
      const again = await made.perform(machine);
      assert.equal(fs.existsSync(made.stdio.exit), false);
      assert.equal(((await finish(again)).exit as { code: number }).code, 4);
    }));

  test("a terminal, input, resize, exec sessions: their sockets and exits go with them", () =>
    container(
      "echo ready; tty; read line; stty size; echo $line",
      { terminal: { rows: 7, columns: 9 }, stdin: true },
      async (made) => {
        const task = await made.perform(machine);
        const attachment = await task.attach({ stdin: true, output: true });
        const text = textOf(attachment);
        await task.release();
        const session = await made.performExec(machine, "hostname; exit 5");
        const { output, exit } = await finish(session);
        assert.deepEqual([output, exit === "lost" ? null : exit.code], ["workshop\n", 5]);
        assert.deepEqual(fs.readdirSync(`${workshop.runRoot}/${made.id.slice(0, 12)}`), ["s"]);
        await task.resize(11, 13);
        await attachment.write(new TextEncoder().encode("typed\n"));
        assert.equal(await text, "ready\r\n/dev/pts/0\r\ntyped\r\n11 13\r\ntyped\r\n");
      },
    ));

  test("who attaches while the plan is performed sees the first byte", () =>
    container("echo first", {}, async (made) => {
      const text = Promise.withResolvers<string>();
      const beforeRelease = async (task: Task): Promise<void> => {
        text.resolve(textOf(await task.attach({ stdin: false, output: true })));
      };
      const task = await made.perform(machine, { beforeRelease });
      await task.release();
      assert.equal(await text.promise, "first\n");
      assert.ok(task.pid > 0);
    }));

  test("input given before the gate is the program's", () =>
    container("cat", { stdin: true }, async (made) => {
      const text = Promise.withResolvers<string>();
      const beforeRelease = async (task: Task): Promise<void> => {
        const attachment = await task.attach({ stdin: true, output: true });
        text.resolve(textOf(attachment));
        await attachment.write(new TextEncoder().encode("early\n"));
        await attachment.closeInput();
      };
      const task = await made.perform(machine, { beforeRelease });
      await task.release();
      assert.equal(await text.promise, "early\n");
    }));

  test("a start that nobody attends runs by itself, and its failure to execute is the failure of perform", async () => {
    await container("exit 4", {}, async (made) => {
      const task = await made.perform(machine, { unattended: true });
      await task.release();
      assert.equal(((await task.exited) as { code: number }).code, 4);
    });
    await container("", { argv: ["nosuch"] }, (made) =>
      assert.rejects(made.perform(machine, { unattended: true }), /\(exec\) on nosuch: ENOENT/),
    );
  });

  test("programs that end at once are told to have started and ended, however many start together", async () => {
    const one = async (index: number): Promise<unknown> => {
      const made = await Container.create(machine, "", { argv: ["true"] });
      const attend = { beforeRelease: async (task: Task) => void (await task.attach({ stdin: false, output: true })) };
      const task = await made.perform(machine, index % 2 === 0 ? { unattended: true } : attend);
      await task.release();
      const exit = await task.exited;
      await made.remove(machine);
      return exit === "lost" ? exit : exit.code;
    };
    const codes = await Promise.all(Array.from({ length: 24 }, (_, index) => one(index)));
    assert.deepEqual(new Set(codes), new Set([0]));
  });

  test("a join of a container that does not run names it", () =>
    container("true", {}, async (made) => {
      const message = `container ${made.id} is not running`;
      await assert.rejects(made.performExec(machine, "true"), { code: "conflict", message });
    }));

  test("output waits for its reader, and the program for its output", () =>
    container("head -c 20000000 /dev/zero | tr '\\0' x; echo done >&2", {}, async (made) => {
      const task = await made.perform(machine);
      const attachment = await task.attach({ stdin: false, output: true });
      await task.release();
      await new Promise((resolve) => setTimeout(resolve, 300));
      let size = 0;
      for await (const { stream, bytes } of attachment.output) if (stream === "stdout") size += bytes.length;
      assert.equal(size, 20_000_000);
    }));

  test("input waits for the program, and arrives whole", () =>
    container("sleep 0.2; cat | tr -d a | head -c 10; echo end", { stdin: true }, async (made) => {
      const task = await made.perform(machine);
      const attachment = await task.attach({ stdin: true, output: true });
      const text = textOf(attachment);
      await task.release();
      for (let i = 0; i < 40; i++) await attachment.write(new Uint8Array(100_000).fill(97));
      await attachment.write(new TextEncoder().encode("z"));
      await attachment.closeInput();
      assert.equal(await text, "zend\n");
    }));

  test("an attachment to a task that has ended is at its end", () =>
    container("true", {}, async (made) => {
      const task = await made.perform(machine);
      await finish(task);
      const late = await task.attach({ stdin: true, output: true });
      await late.write(Uint8Array.of(1));
      assert.equal(await textOf(late), "");
    }));

  test("a failed start leaves nothing, and neither does a failed exec", async () => {
    await container("true", { argv: ["nosuch"] }, async (made) => {
      const task = await made.perform(machine);
      await assert.rejects(task.release(), { name: "PlanError" });
      await task.exited;
    });
    await container("true", {}, async (made) => {
      const { work } = machine.layers.overlay(made.id, []);
      fs.rmdirSync(work);
      await assert.rejects(made.perform(machine), (thrown: Error) => /\(overlay\).*ENOENT/.test(thrown.message));
      assert.deepEqual(fs.readdirSync(workshop.runRoot), []);
    });
  });

  test("out-of-memory kills are counted", () =>
    container(
      "x=1; while :; do x=$x$x; done",
      { resources: { ...unlimited, memoryBytes: 16 << 20, memorySwapBytes: 16 << 20 } },
      async (made) => {
        const { exit } = await finish(await made.perform(machine));
        assert.equal((exit as { code: number }).code, 137);
        assert.ok((await machine.oomKills(made.plan)) > 0);
      },
    ));

  test("a running task is found again by the next machine, with its output and its exit", () =>
    container("echo ready; read x; echo $x; exit 6", { stdin: true }, async (made) => {
      const first = await made.perform(machine);
      await untilReady(first);
      await reopen();
      const found = (await machine.recover({ container: made.id, exec: null })) as Task;
      assert.equal(found.pid, first.pid);
      assert.equal(await machine.recover({ container: made.id, exec: null }), found, "asked again, it is the same");
      const attachment = await found.attach({ stdin: true, output: true });
      await attachment.write(new TextEncoder().encode("later\n"));
      assert.equal(await textOf(attachment), "later\n");
      assert.equal(((await found.exited) as { code: number }).code, 6);
    }));

  test("a task whose gate was never opened is lost to the next machine, and ended", () =>
    container("echo never", {}, async (made) => {
      await made.perform(machine);
      await reopen();
      assert.equal(await machine.recover({ container: made.id, exec: null }), "lost");
      assert.equal(textOfFile(made.stdio.log ?? ""), "");
      assert.deepEqual(processesOf(made.id), []);
    }));

  test("a task whose monitor was killed is lost", () =>
    container("echo ready; sleep 60", {}, async (made) => {
      const task = await made.perform(machine);
      await untilReady(task);
      process.kill(parentOf(task.pid), "SIGKILL");
      assert.equal(await task.exited, "lost");
      assert.equal(await machine.recover({ container: made.id, exec: null }), "lost");
    }));

  test("kill -9 of the engine leaves its container running, and its lock free", async () => {
    await machine.close();
    const engine = spawnEngine(workshop);
    const id = (await firstLine(engine)) as ContainerId;
    await assert.rejects(openLinuxMachine(workshop), {
      code: "conflict",
      message: `the data root ${workshop.dataRoot} is in use by another tsboxd (pid ${engine.pid}): stop that one, or choose another with --data-root`,
    });
    engine.kill("SIGKILL");
    await once(engine, "exit");
    machine = await openLinuxMachine(workshop);
    const task = (await machine.recover({ container: id, exec: null })) as Task;
    const attachment = await task.attach({ stdin: true, output: true });
    await attachment.write(new TextEncoder().encode("alive\n"));
    assert.equal(await textOf(attachment), "alive\n");
    assert.equal(((await task.exited) as { code: number }).code, 8);
    const cgroups = machine.traits.cgroups
      .map(({ mount }) => `${mount}/${workshop.cgroupParent}/${id}`)
      .filter((path) => fs.existsSync(path));
    for (const path of cgroups) fs.rmdirSync(path);
    await machine.layers.discard(id);
    await machine.disk.remove(`${workshop.dataRoot}/containers/${id}` as HostPath);
    assert.deepEqual(left(id), []);
  });

  test("when the helper is killed the request under way fails, containers go on, and the next request finds a new helper", () =>
    container("echo ready; read x; exit 2", { stdin: true }, async (made) => {
      const task = await made.perform(machine);
      await untilReady(task);
      const helper = helperOf(process.pid);
      process.kill(helper, "SIGSTOP");
      const attempt = machine.layers.discard("0".repeat(64) as ContainerId);
      process.kill(helper, "SIGKILL");
      await assert.rejects(attempt, { code: "failed", message: "the tsbox helper ended" });
      assert.deepEqual((await finish(await made.performExec(machine, "echo still here"))).output, "still here\n");
      const attachment = await task.attach({ stdin: true, output: false });
      await attachment.write(new TextEncoder().encode("\n"));
      assert.equal(((await task.exited) as { code: number }).code, 2);
      attachment.close();
    }));

  test("a full disk neither stops a container nor hides its exit code from who waits", async () => {
    const small = makeWorkshop();
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", small.dataRoot]);
    const cramped = await openLinuxMachine(small);
    await applyBusybox(cramped);
    const made = await Container.create(
      cramped,
      "exec 2>&1; echo ready; read x; echo more; head -c 4000000 /dev/zero > /f; echo end; exit 7",
      { stdin: true },
    );
    try {
      const task = await made.perform(cramped);
      const attachment = await task.attach({ stdin: true, output: true });
      const text = textOf(attachment);
      await task.release();
      fillUp(`${small.dataRoot}/filler`);
      await attachment.write(new TextEncoder().encode("\n"));
      assert.match(await text, /^ready\nmore\n.*end\n$/s);
      assert.equal(((await task.exited) as { code: number }).code, 7);
      await assert.rejects(cramped.disk.writeAtomically(`${small.dataRoot}/x` as HostPath, new Uint8Array(100_000)), {
        name: "Errno",
        errno: "ENOSPC",
      });
      assert.equal(
        fs.readdirSync(small.dataRoot).some((name) => name.endsWith(".tmp")),
        false,
      );
    } finally {
      await made.remove(cramped);
      await cramped.close();
      execFileSync("umount", [small.dataRoot]);
      small.remove();
    }
  });

  test("a monitor's socket is for its owner only", () =>
    container("echo ready; read x", { stdin: true }, async (made) => {
      const task = await made.perform(machine);
      await untilReady(task);
      const socket = `${workshop.runRoot}/${made.id.slice(0, 12)}/s`;
      assert.equal(fs.statSync(socket).mode & 0o777, 0o600);
      connect(socket)
        .on("error", () => {})
        .end("nonsense, not a frame");
      await task.signal(9);
      assert.equal(((await task.exited) as { code: number }).code, 137);
    }));

  test("a run directory too long for sockets is refused", async () => {
    const long = `${workshop.directory}/${"r".repeat(90)}`;
    await assert.rejects(openLinuxMachine({ dataRoot: `${workshop.directory}/other`, runRoot: long }), {
      code: "invalid",
      message: /is longer than 81 bytes: choose a shorter one/,
    });
    fs.rmSync(`${workshop.directory}/other`, { recursive: true });
    fs.rmSync(long, { recursive: true });
  });
});

/** A process that opens the machine, starts a container there, prints its id, and stays. */
function spawnEngine({ dataRoot, runRoot, cgroupParent }: Workshop): ChildProcess {
  const program = `
    const { openLinuxMachine } = await import(${JSON.stringify(new URL("./machine.ts", import.meta.url).href)});
    const { Container, untilReady } = await import(${JSON.stringify(new URL("./testing/workshop.ts", import.meta.url).href)});
    const machine = await openLinuxMachine(${JSON.stringify({ dataRoot, runRoot, cgroupParent })});
    const made = await Container.create(machine, "echo ready; read x; echo $x; exit 8", { stdin: true });
    await untilReady(await made.perform(machine));
    console.log(made.id);`;
  return spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: ["ignore", "pipe", "inherit"] });
}

async function firstLine(child: ChildProcess): Promise<string> {
  let text = "";
  for await (const bytes of child.stdout ?? []) {
    text += String(bytes);
    if (text.includes("\n")) return text.trim();
  }
  throw new Error("the process ended without a word");
}

function fillUp(path: string): void {
  const fd = fs.openSync(path, "w");
  try {
    for (const size of [65_536, 4096, 512, 1]) while (wrote(fd, size));
  } finally {
    fs.closeSync(fd);
  }
}

function wrote(fd: number, size: number): boolean {
  try {
    return fs.writeSync(fd, new Uint8Array(size)) === size;
  } catch {
    return false;
  }
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)/m.exec(textOfFile(`/proc/${pid}/status`))?.[1]);
}

function helperOf(engine: number): number {
  const pids = fs
    .readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  const helper = pids.find((pid) => parentOf(pid) === engine && textOfFile(`/proc/${pid}/comm`) === "tsbox-helper\n");
  assert.ok(helper !== undefined, "the machine has a helper");
  return helper;
}

function textOfFile(path: string): string {
  try {
    return fs.readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
