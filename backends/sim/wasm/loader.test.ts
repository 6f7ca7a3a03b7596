import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { encodeText } from "../../../core/base/bytes.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Sys } from "../kernel/sys.ts";
import { inProcess, readFile, writeFile } from "../testing/small-host.ts";
import { code, smallModule, unknownImport } from "./testing/modules.ts";
import { endOf, type Outcome, run, spawn, textOf, wasmHost } from "./testing/wasm-host.ts";

const SIGKILL = 9;
const SIGCONT = 18;
const SIGSTOP = 19;
const second = 1_000_000_000n;
const mebibyte = 1 << 20;

function ours(...names: string[]): Record<string, Uint8Array> {
  const file = (name: string): URL => new URL(`../../../images/wasi/bin/${name}.wasm`, import.meta.url);
  return Object.fromEntries(names.map((name) => [name, readFileSync(file(name))]));
}

/** Puts the caller into a new cgroup with these settings. */
async function inCgroup(sys: Sys, settings: Readonly<Record<string, string>>): Promise<void> {
  sys.makeDirectory("/sys/fs/cgroup/limited", 0o755);
  for (const [name, value] of Object.entries(settings)) await writeFile(sys, `/sys/fs/cgroup/limited/${name}`, value);
  await writeFile(sys, "/sys/fs/cgroup/limited/cgroup.procs", "0");
}

describe("a program", () => {
  test("reads standard input to its end and writes standard output", async () => {
    const expected: Outcome = { code: 0, signal: 0, stdout: "HELLO\n", stderr: "" };
    assert.deepEqual(await run(wasmHost(ours("upper")), ["upper"], "hello\n"), expected);
  });

  test("gets its arguments and its environment, and files by absolute and relative paths", async () => {
    const kernel = wasmHost(ours("cat"));
    const {
      stdout,
      stderr,
      code: exit,
    } = await inProcess(kernel, async (sys) => {
      sys.makeDirectory("/tmp/here", 0o755);
      await writeFile(sys, "/tmp/here/file", "relative\n");
      sys.changeDirectory("/tmp/here");
      const started = await spawn(sys, ["cat", "file", "../here/file", "/etc/hostname", "missing"]);
      const texts = { stdout: await textOf(sys, started.stdout), stderr: await textOf(sys, started.stderr) };
      return { ...texts, ...endOf(await sys.wait(started.pid)) };
    });
    assert.deepEqual(
      [stdout, stderr, exit],
      ["relative\nrelative\ntsbox\n", "cat: missing: No such file or directory\n", 1],
    );
  });

  test("tells what the kernel tells of it", async () => {
    const { stdout } = await run(wasmHost(ours("hello")), ["hello"]);
    assert.match(stdout, /^hostname +tsbox /m);
    assert.match(stdout, /^pid +\d+ +its number here$/m);
    assert.match(stdout, /^uts ns +uts:\[\d+\] /m);
  });

  test("waits for input without holding up others, and streams what it has", async () => {
    const seen = await inProcess(wasmHost(ours("upper")), async (sys) => {
      const { pid, stdin, stdout } = await spawn(sys, ["upper"]);
      const lines: string[] = [];
      for (const line of ["one\n", "two\n"]) {
        await sys.sleep(second);
        await sys.write(stdin, encodeText(line));
        lines.push(new TextDecoder().decode(await sys.read(stdout, 100)));
      }
      sys.close(stdin);
      return [...lines, endOf(await sys.wait(pid)).code];
    });
    assert.deepEqual(seen, ["ONE\n", "TWO\n", 0]);
  });

  test("sleeps in virtual time", async () => {
    const kernel = wasmHost(ours("writer"));
    const from = kernel.turns.now;
    const { stdout } = await run(kernel, ["writer", "-n", "3", "-i", "60000"]);
    assert.equal(stdout, "line 1\nline 2\nline 3\n");
    assert.equal((kernel.turns.now - from) / second, 120n);
  });

  test("adds to files, which are there afterwards", async () => {
    const kernel = wasmHost(ours("writer"));
    await run(kernel, ["writer", "-n", "2", "-i", "0", "/tmp/lines"]);
    await run(kernel, ["writer", "-n", "1", "-i", "0", "/tmp/lines"]);
    assert.equal(await inProcess(kernel, (sys) => readFile(sys, "/tmp/lines")), "line 1\nline 2\nline 1\n");
  });

  test("streams through a pipe to another program", async () => {
    const text = await inProcess(wasmHost(ours("writer", "upper")), async (sys) => {
      const between = sys.pipe();
      const out = sys.pipe();
      const writing = sys.spawn("/bin/writer", ["writer", "-n", "2"], [], { fds: new Map([[1, between.write]]) });
      const shouting = sys.spawn("/bin/upper", ["upper"], [], {
        fds: new Map([
          [0, between.read],
          [1, out.write],
        ]),
      });
      await Promise.all([writing, shouting]);
      for (const fd of [between.read, between.write, out.write]) sys.close(fd);
      return textOf(sys, out.read);
    });
    assert.equal(text, "LINE 1\nLINE 2\n");
  });

  test("copies a large file through one buffer, which it fills anew each time", async () => {
    const kernel = wasmHost(ours("cat"));
    const large = Array.from({ length: 60_000 }, (_, line) => `line ${line}\n`).join("");
    const copied = await inProcess(kernel, async (sys) => {
      await writeFile(sys, "/tmp/large", large);
      const to = await sys.open("/tmp/copy", { access: "write", create: true });
      await sys.spawn("/bin/cat", ["cat", "/tmp/large"], [], { fds: new Map([[1, to]]) });
      await sys.wait(-1);
      return readFile(sys, "/tmp/copy");
    });
    assert.ok(copied === large);
  });

  test("is ended by SIGPIPE when nobody reads any more", async () => {
    const end = await inProcess(wasmHost(ours("writer")), async (sys) => {
      const { pid, stdout } = await spawn(sys, ["writer", "-i", "0"]);
      await sys.read(stdout, 10);
      sys.close(stdout);
      return endOf(await sys.wait(pid));
    });
    assert.deepEqual(end, { code: 0, signal: 13 });
  });
});

describe("a program that computes without end", () => {
  const endless = (): Kernel => wasmHost({ endless: smallModule({ start: code.forever }), ...ours("burn", "upper") });

  test("is killed by SIGKILL, and others run meanwhile", async () => {
    const kernel = endless();
    const [said, end] = await inProcess(kernel, async (sys) => {
      const { pid } = await spawn(sys, ["endless"]);
      const other = await spawn(sys, ["upper"]);
      await sys.write(other.stdin, encodeText("x"));
      sys.close(other.stdin);
      const text = await textOf(sys, other.stdout);
      sys.kill(pid, SIGKILL);
      return [text, endOf(await sys.wait(pid))];
    });
    assert.deepEqual([said, end], ["X", { code: 0, signal: SIGKILL }]);
  });

  test("uses no processor time while it is stopped, and goes on when continued", async () => {
    const kernel = endless();
    const used = await inProcess(kernel, async (sys) => {
      const { pid } = await spawn(sys, ["endless"]);
      const cpu = (): bigint => kernel.find(kernel.init.namespaces.pid, pid)?.cpuNanos ?? 0n;
      await sys.sleep(second / 10n);
      sys.kill(pid, SIGSTOP);
      const stopped = cpu();
      await sys.sleep(second);
      const still = cpu();
      sys.kill(pid, SIGCONT);
      await sys.sleep(second / 10n);
      const moved = cpu();
      sys.kill(pid, SIGKILL);
      return { whileStopped: still - stopped, continued: moved > still };
    });
    assert.deepEqual(used, { whileStopped: 0n, continued: true });
  });

  test("gets the share of processor time that cpu.max gives it", async () => {
    const kernel = endless();
    const used = await inProcess(kernel, async (sys) => {
      const child = sys.fork(async (inside) => {
        await inCgroup(inside, { "cpu.max": "25000 100000" });
        return inside.exec("/bin/endless", ["endless"], []);
      });
      await sys.sleep(2n * second);
      const nanos = kernel.find(kernel.init.namespaces.pid, child)?.cpuNanos ?? 0n;
      sys.kill(child, SIGKILL);
      return Number(nanos) / 1e6;
    });
    // A turn of the meter, an eighth of a millisecond, may be over each period's quota, and is taken off the next.
    assert.ok(Math.abs(used - 500) <= 5, `${used} ms of 500`);
  });

  test("shares the processor with its like in equal parts", async () => {
    const kernel = endless();
    const shares = await inProcess(kernel, async (sys) => {
      const pids: number[] = [];
      for (let count = 0; count < 3; count++) pids.push((await spawn(sys, ["endless"])).pid);
      await sys.sleep(second);
      const used = pids.map((pid) => Number(kernel.find(kernel.init.namespaces.pid, pid)?.cpuNanos ?? 0n) / 1e6);
      for (const pid of pids) sys.kill(pid, SIGKILL);
      return used;
    });
    for (const share of shares) assert.ok(Math.abs(share - 1000 / 3) < 10, `${shares.join(", ")} ms`);
  });

  test("burns as much processor time as its clock says", async () => {
    const kernel = endless();
    const from = kernel.turns.now;
    const { code: exit } = await run(kernel, ["burn", "0.5"]);
    const seconds = Number(kernel.turns.now - from) / 1e9;
    assert.equal(exit, 0);
    assert.ok(seconds >= 0.5 && seconds < 0.51, `${seconds} s`);
  });
});

describe("memory", () => {
  test("is charged to the cgroup, whose limit kills", async () => {
    const kernel = wasmHost(ours("hog"));
    const [said, end, peak] = await inProcess(kernel, async (sys) => {
      const { read, write } = sys.pipe();
      const fds = new Map([[1, write]]);
      const child = sys.fork(
        async (inside) => {
          await inCgroup(inside, { "memory.max": String(16 * mebibyte) });
          return inside.exec("/bin/hog", ["hog"], []);
        },
        { fds },
      );
      sys.close(write);
      const text = await textOf(sys, read);
      const status = endOf(await sys.wait(child));
      return [text, status, Number(await readFile(sys, "/sys/fs/cgroup/limited/memory.peak"))];
    });
    assert.equal(end.signal, SIGKILL);
    assert.equal(said.split("\n").at(-2), "15 MiB", "beside its own 192 KiB");
    assert.ok(peak <= 16 * mebibyte && peak > 15 * mebibyte, `${peak}`);
  });

  test("goes back when the program ends", async () => {
    const kernel = wasmHost(ours("hog"));
    await run(kernel, ["hog", "8"]);
    assert.equal(kernel.cgroups.root.states.memory?.bytes, 0);
  });

  test("that the machine does not have is taken from who wants it, and from nobody else", async () => {
    const kernel = wasmHost({ giant: smallModule({ pages: 65536 }), ...ours("upper") });
    const ends = await inProcess(kernel, async (sys) => {
      const bystander = await spawn(sys, ["upper"]);
      const giant = await spawn(sys, ["giant"]);
      const killed = endOf(await sys.wait(giant.pid));
      await sys.write(bystander.stdin, encodeText("still here"));
      sys.close(bystander.stdin);
      return [killed.signal, await textOf(sys, bystander.stdout)];
    });
    assert.deepEqual(ends, [SIGKILL, "STILL HERE"]);
  });

  test("that a module wants from the start is charged before it has it", async () => {
    const kernel = wasmHost({ giant: smallModule({ pages: 65536 }) });
    const end = await inProcess(kernel, async (sys) => {
      const child = sys.fork(async (inside) => {
        await inCgroup(inside, { "memory.max": String(64 * mebibyte) });
        return inside.exec("/bin/giant", ["giant"], []);
      });
      return endOf(await sys.wait(child));
    });
    assert.equal(end.signal, SIGKILL);
  });
});

describe("a program that goes wrong", () => {
  const traps: readonly [name: string, start: readonly number[], reason: string][] = [
    ["abort", code.unreachable, "it came to an instruction that is never to be reached (abort)"],
    ["divide", code.divideByZero, "it divided by zero"],
    ["stray", code.loadBeyond, "it accessed memory that it does not have"],
    ["deep", code.recursion, "it called itself too deep: its stack is used up"],
    ["lost", code.callUnknown, "it called what is no function of that type"],
  ];
  for (const [name, start, reason] of traps) {
    test(`ends with 134 and a line of why: ${name}`, async () => {
      const outcome = await run(wasmHost({ [name]: smallModule({ start }) }), [name]);
      assert.deepEqual(outcome, { code: 134, signal: 0, stdout: "", stderr: `${name}: trap: ${reason}\n` });
    });
  }
});

describe("a file that cannot run", () => {
  const only = "only wasi_snapshot_preview1 is there for programs to import";
  const refusals: readonly [what: string, bytes: Uint8Array, reason: RegExp][] = [
    ["is cut off", smallModule().subarray(0, 40), /^it is no valid WebAssembly module: /],
    ["is garbage behind its first bytes", encodeText("\0asm garbage"), /^it is no valid WebAssembly module: /],
    [
      "imports what nobody has",
      smallModule({ imports: ["env", "abort"] }),
      new RegExp(`^it imports env.abort: ${only}`),
    ],
    ["imports what the interface has not", unknownImport, /^it imports wasi_snapshot_preview1.fd_teleport, which/],
    [
      "imports a call as something else",
      smallModule({ imports: ["wasi_snapshot_preview1", "fd_write"] }),
      /^it imports wasi_snapshot_preview1.fd_write as :, but that is iiii:i /,
    ],
    ["is a library", smallModule({ exports: ["_initialize"] }), /^it has no function _start: /],
    ["wants threads", smallModule({ pagesMax: 2, shared: true }), /^it uses shared memory \(threads\)/],
  ];
  for (const [what, bytes, reason] of refusals) {
    test(`says so and exits with 126: it ${what}`, async () => {
      const outcome = await run(wasmHost({ bad: bytes }), ["bad"]);
      assert.equal(outcome.code, 126);
      const [, said = ""] = /^bad: cannot run: (.*)\n$/.exec(outcome.stderr) ?? [];
      assert.match(said, reason);
    });
  }
});

test("when its library cannot be loaded, a program says so, and the next one tries again", async () => {
  let tries = 0;
  const wasmer = (): Promise<unknown> => {
    if (tries++ === 0) return Promise.reject(new Error("no network"));
    return Promise.resolve(undefined);
  };
  const kernel = wasmHost(ours("upper"), { wasmer });
  assert.match(
    (await run(kernel, ["upper"])).stderr,
    /^upper: cannot run: .* could not be loaded: no network; try again$/m,
  );
  assert.equal((await run(kernel, ["upper"], "again")).stdout, "AGAIN");
});

test("what a module runs when it is instantiated is part of the program, and can be killed", async () => {
  const module = smallModule({ start: code.forever, startSection: true });
  const end = await inProcess(wasmHost({ early: module }), async (sys) => {
    const { pid } = await spawn(sys, ["early"]);
    await sys.sleep(second / 100n);
    sys.kill(pid, SIGKILL);
    return endOf(await sys.wait(pid));
  });
  assert.deepEqual(end, { code: 0, signal: SIGKILL });
});
