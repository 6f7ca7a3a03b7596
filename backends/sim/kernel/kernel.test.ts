import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeText } from "../../../core/base/bytes.ts";
import { inProcess, readAllOf, readFile, smallHost, writeFile } from "../testing/small-host.ts";
import type { Program, Sys } from "./sys.ts";
import { OpenFile } from "./open-file.ts";
import { Terminal, TerminalChannel } from "./terminal.ts";

const hello: Program = async (sys, argv) => {
  await sys.write(1, encodeText(`${argv.join(" ")}\n`));
  return 3;
};

test("a spawned program writes to a pipe and its exit code is waited for", async () => {
  const said = await inProcess(smallHost({ hello }), async (sys) => {
    const { read, write } = sys.pipe();
    const pid = await sys.spawn("/bin/hello", ["hello", "you"], [], { fds: new Map([[1, write]]) });
    sys.close(write);
    const text = await readAllOf(sys, read);
    return [text, await sys.wait(pid)];
  });
  assert.deepEqual(said, ["hello you\n", { pid: 3, kind: "exited", value: 3 }]);
});

test("exec replaces the program in the same process and keeps its descriptors", async () => {
  const text = await inProcess(smallHost({ hello }), async (sys) => {
    const { read, write } = sys.pipe();
    sys.fork((child) => child.exec("/bin/hello", ["hello", String(child.pid)], []), { fds: new Map([[1, write]]) });
    sys.close(write);
    return readAllOf(sys, read);
  });
  assert.equal(text, "hello 3\n");
});

test("a program that is missing, not executable, or of no known format is refused as execve refuses it", async () => {
  const errors = await inProcess(smallHost(), async (sys) => {
    await writeFile(sys, "/tmp/plain", "nothing");
    await writeFile(sys, "/tmp/odd", "nothing");
    sys.setAttributes("/tmp/odd", { mode: 0o755 });
    const errnoOf = (path: string): Promise<unknown> =>
      sys.spawn(path, [path], []).then(
        () => "started",
        (thrown: { errno: string }) => thrown.errno,
      );
    return Promise.all(["/tmp/none", "/tmp/plain", "/tmp/odd", "/tmp"].map(errnoOf));
  });
  assert.deepEqual(errors, ["ENOENT", "EACCES", "ENOEXEC", "EACCES"]);
});

test("a writer without a reader dies of SIGPIPE", async () => {
  const status = await inProcess(smallHost(), async (sys) => {
    const { read, write } = sys.pipe();
    sys.close(read);
    const pid = sys.fork(async (child) => {
      for (;;) await child.write(write, encodeText("y\n")).catch(() => 0);
    });
    return sys.wait(pid);
  });
  assert.deepEqual(status, { pid: 3, kind: "killed", value: 13 });
});

test("a full pipe makes its writer wait for the reader", async () => {
  const count = await inProcess(smallHost(), async (sys) => {
    const { read, write } = sys.pipe();
    sys.fork(async (child) => {
      child.close(read);
      await child.write(write, new Uint8Array(300_000));
      return 0;
    });
    sys.close(write);
    return (await readAllOf(sys, read)).length;
  });
  assert.equal(count, 300_000);
});

test("a handled signal interrupts a sleep; one that is not handled kills", async () => {
  const seen = await inProcess(smallHost(), async (sys) => {
    const handles = sys.fork(async (child) => {
      let got = 0;
      child.onSignal(15, (signal) => {
        got = signal;
      });
      await child.sleep(10_000_000_000n).catch(() => {});
      return got;
    });
    const plain = sys.fork(async (child) => {
      await child.sleep(10_000_000_000n);
      return 0;
    });
    await sys.sleep(1_000_000n);
    sys.kill(handles, 15);
    sys.kill(plain, 15);
    return [await sys.wait(handles), await sys.wait(plain)];
  });
  assert.deepEqual(seen, [
    { pid: 3, kind: "exited", value: 15 },
    { pid: 4, kind: "killed", value: 15 },
  ]);
});

test("a stopped process runs no further until it is continued", async () => {
  const kinds = await inProcess(smallHost(), async (sys) => {
    const pid = sys.fork(async (child) => {
      for (let turn = 0; turn < 5; turn++) await child.sleep(1_000_000n);
      return 0;
    });
    await sys.sleep(2_000_000n);
    sys.kill(pid, 19);
    const stopped = await sys.wait(pid, { untraced: true });
    await sys.sleep(1_000_000_000n);
    const before = await sys.wait(pid, { noHang: true });
    sys.kill(pid, 18);
    return [stopped?.kind, before, (await sys.wait(pid))?.kind];
  });
  assert.deepEqual(kinds, ["stopped", null, "exited"]);
});

test("time jumps to when somebody waits for it and is otherwise what was computed", async () => {
  const kernel = smallHost();
  const begin = kernel.turns.now;
  await inProcess(kernel, (sys) => sys.sleep(3_600_000_000_000n));
  assert.equal((kernel.turns.now - begin) / 1_000_000_000n, 3600n);
});

test("two that compute take turns", async () => {
  const order = await inProcess(smallHost(), async (sys) => {
    const turns: string[] = [];
    const burn = (name: string) => async (child: Sys) => {
      for (let round = 0; round < 3; round++) {
        turns.push(name);
        await child.work(5_000_000);
      }
      return 0;
    };
    sys.fork(burn("a"));
    sys.fork(burn("b"));
    while ((await sys.wait(-1).catch(() => null)) !== null);
    return turns.join("");
  });
  assert.equal(order, "ababab");
});

test("the children of one that ends become the init's of their pid namespace", async () => {
  const parents = await inProcess(smallHost(), async (sys) => {
    const { read, write } = sys.pipe();
    const middle = sys.fork(async (child) => {
      child.fork(async (orphan) => {
        await orphan.sleep(5_000_000n);
        await orphan.write(write, encodeText(String(orphan.parent())));
        return 0;
      });
      return Promise.resolve(0);
    });
    sys.close(write);
    await sys.wait(middle);
    return readAllOf(sys, read);
  });
  assert.equal(parents, "1");
});

test("a new pid namespace counts from 1 and dies with its first process", async () => {
  const seen = await inProcess(smallHost(), async (sys) => {
    const { read, write } = sys.pipe();
    sys.unshare(["pid"]);
    const first = sys.fork(async (child) => {
      child.fork(async (other) => {
        await other.write(write, encodeText(`${child.pid} ${other.pid} `));
        await other.sleep(1_000_000_000_000n);
        return 0;
      });
      await child.sleep(1_000_000n);
      return 0;
    });
    sys.close(write);
    await sys.wait(first);
    return [await readAllOf(sys, read), sys.list("/proc").filter(({ name }) => /^\d/.test(name)).length];
  });
  assert.deepEqual(seen, ["1 2 ", 2]);
});

test("what is typed at a terminal is echoed, edited and read by lines; Ctrl-C interrupts", async () => {
  const kernel = smallHost();
  const terminal = new Terminal({ rows: 24, columns: 80 }, (group, signal) => kernel.signals.sendGroup(group, signal));
  const lines: string[] = [];
  const process = kernel.launch("reader", async (sys) => {
    for (;;) lines.push(new TextDecoder().decode(await sys.read(0, 100)));
  });
  const channel = new TerminalChannel(terminal, () => kernel.tree.stat(kernel.tree.root));
  process.fds.set(0, new OpenFile(channel, { read: true, write: true }, { location: null, path: "/dev/pts/0" }).hold());
  process.terminal = terminal;
  terminal.foreground = process.group;
  await kernel.turns.run();
  kernel.turns.admit(() => terminal.type(encodeText("helpo\u007f\u007flo\r")));
  await kernel.turns.run();
  assert.deepEqual(lines, ["hello\n"]);
  assert.equal(new TextDecoder().decode(terminal.takeOutput()), "helpo\b \b\b \blo\r\n");
  kernel.turns.admit(() => terminal.type(Uint8Array.of(3)));
  await kernel.turns.run();
  assert.equal(process.exit?.signal, 2);
});

test("/proc shows the processes and each its own descriptors", async () => {
  const seen = await inProcess(smallHost(), async (sys) => [
    (await readFile(sys, "/proc/self/stat")).split(" ").slice(0, 4).join(" "),
    await readFile(sys, "/proc/self/comm"),
    sys.readlink("/proc/self/cwd"),
    sys.readlink("/proc/self/ns/uts").replace(/\d+/, "N"),
  ]);
  assert.deepEqual(seen, ["2 (test) R 1", "test\n", "/", "uts:[N]"]);
});

test("a process that the kernel itself began has no program: its exe leads nowhere", () =>
  inProcess(smallHost(), async (sys) => {
    assert.throws(() => sys.readlink("/proc/self/exe"), { errno: "ENOENT" });
  }));

test("a fifo joins two who open it by its name", async () => {
  const text = await inProcess(smallHost(), async (sys) => {
    sys.makeNode("/tmp/fifo", "fifo", 0o644);
    sys.fork(async (child) => {
      const fd = await child.open("/tmp/fifo", { access: "write" });
      await child.write(fd, encodeText("through"));
      return 0;
    });
    return readFile(sys, "/tmp/fifo");
  });
  assert.equal(text, "through");
});

test("a process that waits for something outside lets others run", async () => {
  const kernel = smallHost();
  const order: string[] = [];
  const outside = new Promise<void>((resolve) => {
    kernel.launch("other", async (sys) => {
      await sys.sleep(1_000_000n);
      order.push("other");
      resolve();
      return 0;
    });
  });
  const waiting = kernel.launch("waiting", async () => {
    await kernel.outside(waiting, outside);
    order.push("waiting");
    return 0;
  });
  await kernel.turns.run();
  await kernel.turns.run();
  assert.deepEqual(order, ["other", "waiting"]);
});
