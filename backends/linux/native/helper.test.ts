/** The helper end to end: plans of a busybox container performed on this kernel, seen from its clients. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, describe, test } from "node:test";
import type { ContainerId, ContainerPath, HostPath } from "../../../core/base/brand.ts";
import type { Cgroup, ChildOp, Plan } from "../../../core/runtime/plan.ts";
import { encodeInput, encodeInputEnd, encodeRelease, encodeResize, encodeSignal } from "../wire/monitor.ts";
import {
  allNamespaces,
  attach,
  Client,
  container,
  finish,
  Helper,
  heldSockets,
  logOf,
  makeWorkshop,
  missing,
  outcome,
  perform,
  removeWorkshop,
  type Run,
} from "./harness.ts";

const reason = missing();

describe("the helper", { skip: reason ?? false }, () => {
  let workshop: string;
  let helper: Helper;

  before(() => {
    workshop = makeWorkshop();
    helper = new Helper(join(workshop, "helper"));
  });

  after(async () => {
    await helper.close();
    removeWorkshop(workshop);
  });

  test("runs a program and tells its output, its exit code and nothing else", async () => {
    const run = await perform(helper, workshop, { argv: ["sh", "-c", "echo hi; echo oh >&2; exit 7"] });
    assert.deepEqual(await finish(run), { code: 7, signal: 0, stdout: "hi\n", stderr: "oh\n" });
    const exit = JSON.parse(readFileSync(run.stdio.exit, "utf8")) as { code: number; signal: number; at: string };
    assert.deepEqual({ ...exit, at: /^\d{19}$/.test(exit.at) }, { code: 7, signal: 0, at: true });
  });

  test("waits at the gate until it is released, and says so", async () => {
    const run = await perform(helper, workshop, { argv: ["echo", "through"] });
    const client = await attach(run);
    const welcome = await client.next("welcome");
    await sleep(30);
    assert.equal(client.text(), "");
    client.send(encodeRelease());
    await client.next("started");
    assert.deepEqual(await outcome(client), { code: 0, signal: 0, stdout: "through\n", stderr: "" });
    assert(run.gate.kind === "gate");
    const { pid, startTime } = run.gate;
    assert.deepEqual(welcome, { kind: "welcome", pid, startTime, released: false });
  });

  test("gives the container namespaces, a root and descriptors of its own", async () => {
    const seen = await perform(helper, workshop, {
      argv: ["sh", "-c", "echo $$; hostname; ls /; ls /proc/self/fd | wc -l"],
    });
    const { stdout } = await finish(seen);
    assert.deepEqual(stdout.split("\n").slice(0, -2), ["1", "workshop", "bin", "dev", "etc", "proc", "sys", "tmp"]);
    assert.equal(stdout.split("\n").at(-2), "4", "0, 1, 2 and the one ls reads with");
  });

  test("reports a program killed by a signal as 128 + its number", async () => {
    const run = await perform(helper, workshop, { argv: ["sleep", "1000"] });
    const client = await attach(run);
    client.send(encodeRelease());
    await client.next("started");
    client.send(encodeSignal(9));
    assert.deepEqual(await outcome(client), { code: 137, signal: 9, stdout: "", stderr: "" });
  });

  test("refuses a signal to a task that has ended", async () => {
    const run = await perform(helper, workshop, { argv: ["true"] });
    const early = await attach(run);
    const late = new Client(run.socket); // no hello yet: the monitor waits a moment for it
    early.send(encodeRelease());
    await early.next("exited");
    late.send(encodeSignal(15));
    assert.deepEqual(await late.next("refused"), { kind: "refused", errno: "ESRCH" });
    late.socket.destroy();
  });

  test("feeds standard input to the program, whatever its size, and closes it when it ends", async () => {
    const stdio = { stdin: true, stdinOnce: true, log: null };
    const run = await perform(helper, workshop, { argv: ["sh", "-c", "sleep 0.1; cat"], stdio });
    const client = await attach(run, { stdin: true, output: true });
    client.send(encodeRelease());
    const bytes = new Uint8Array(3_000_000).fill(97);
    client.send(encodeInput(bytes));
    client.send(encodeInputEnd());
    const { code, stdout } = await outcome(client);
    assert.deepEqual({ code, length: stdout.length }, { code: 0, length: bytes.length });
  });

  test("closes standard input when its only client goes away, and keeps what that client had sent", async () => {
    const stdio = { stdin: true, stdinOnce: true };
    const run = await perform(helper, workshop, { argv: ["sh", "-c", "sleep 0.1; cat | wc -c"], stdio });
    const watcher = await attach(run);
    const client = await attach(run, { stdin: true, output: false });
    watcher.send(encodeRelease());
    client.send(encodeInput(new Uint8Array(500_000)));
    client.socket.end();
    assert.equal((await outcome(watcher)).stdout, "500000\n");
  });

  test("keeps standard input open without stdin once", async () => {
    const run = await perform(helper, workshop, { argv: ["cat"], stdio: { stdin: true } });
    const watcher = await attach(run);
    watcher.send(encodeRelease());
    for (const word of ["one ", "two "]) {
      const client = await attach(run, { stdin: true, output: false });
      client.send(encodeInput(Buffer.from(word)));
      client.send(encodeInputEnd());
      client.socket.end();
      await watcher.until(() => watcher.text().endsWith(word), word);
    }
    watcher.send(encodeSignal(9));
    assert.equal((await outcome(watcher)).stdout, "one two ");
  });

  test("gives a terminal with its size, its controlling process and its resizes", async () => {
    const script = "tty; stty size; trap 'stty size; exit 3' WINCH; echo ready; while :; do sleep 0.05; done";
    const run = await perform(helper, workshop, { argv: ["sh", "-c", script], stdio: { terminal: true, stdin: true } });
    const client = await attach(run, { stdin: true, output: true });
    client.send(encodeRelease());
    await client.until(() => client.text().includes("ready"), "ready");
    client.send(encodeResize(50, 132));
    const { code, stdout } = await outcome(client);
    assert.deepEqual({ code, stdout }, { code: 3, stdout: "/dev/pts/0\r\n24 80\r\nready\r\n50 132\r\n" });
  });

  test("passes Ctrl-C through the terminal to the foreground program", async () => {
    const stdio = { terminal: true, stdin: true };
    const run = await perform(helper, workshop, {
      argv: ["sh", "-c", "trap 'exit 5' INT; echo ready; while :; do sleep 0.05; done"],
      stdio,
    });
    const client = await attach(run, { stdin: true, output: true });
    client.send(encodeRelease());
    await client.until(() => client.text().includes("ready"), "ready");
    client.send(encodeInput(Uint8Array.of(3)));
    assert.equal((await outcome(client)).code, 5);
  });

  test("logs as docker's json-file driver does", async () => {
    const script = `printf 'tab\\there "q" \\\\ <&> \\377 \\342\\200\\250 é\\n'; printf 'no newline'`;
    const run = await perform(helper, workshop, { argv: ["sh", "-c", script] });
    await finish(run);
    const lines = readFileSync(join(run.directory, "log"), "utf8").trimEnd().split("\n");
    assert.deepEqual(
      lines.map((line) => line.replace(/"time":"[^"]*"/, '"time":"T"')),
      [
        String.raw`{"log":"tab\u0009here \"q\" \\ \u003c\u0026\u003e \ufffd \u2028 é\n","stream":"stdout","time":"T"}`,
        String.raw`{"log":"no newline","stream":"stdout","time":"T"}`,
      ],
    );
    for (const { time } of logOf(run)) assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z$/);
  });

  test("splits a long line of the log at 16 KiB, and loses nothing of many short ones", async () => {
    const script = "busybox yes x | busybox head -n 40000 | busybox tr -d '\\n'; echo; seq 20000";
    const run = await perform(helper, workshop, { argv: ["sh", "-c", script] });
    await finish(run);
    const parts = logOf(run).map(({ log }) => log);
    assert.deepEqual(
      parts.slice(0, 3).map((part) => part.length),
      [16384, 16384, 40000 - 2 * 16384 + 1],
    );
    assert.equal(parts.slice(3).join(""), Array.from({ length: 20000 }, (_, i) => `${i + 1}\n`).join(""));
  });

  test("a slow reader slows the program down, and no byte is lost", async () => {
    const run = await perform(helper, workshop, { argv: ["sh", "-c", "seq 600000"], stdio: { log: null } });
    const client = await attach(run);
    client.socket.pause();
    client.send(encodeRelease());
    await sleep(300);
    assert(!existsSync(run.stdio.exit), "the program must be waiting for its reader");
    client.socket.resume();
    const { stdout } = await outcome(client);
    assert.equal(stdout, Array.from({ length: 600_000 }, (_, i) => `${i + 1}\n`).join(""));
  });

  test("a client that hangs up does not hold the program", async () => {
    const run = await perform(helper, workshop, { argv: ["sh", "-c", "seq 600000"], stdio: { log: null } });
    const gone = await attach(run);
    gone.socket.pause();
    const watcher = await attach(run, { stdin: false, output: false });
    watcher.send(encodeRelease());
    await sleep(100);
    gone.socket.destroy();
    assert.equal((await outcome(watcher)).code, 0);
  });

  test("names the step that failed, the error and the thing", async () => {
    const bad = (directory: string): ChildOp[] => [
      ...container(workshop, directory),
      { op: "mount", type: "tmpfs", source: "x", target: "/not/there" as ContainerPath, flags: [], options: "" },
    ];
    const run = await perform(helper, workshop, { argv: ["true"], child: bad });
    const step = `0.${container(workshop, "").length}`;
    const failure = { step, op: "mount", errno: "ENOENT", path: "/not/there" };
    assert.deepEqual(run.gate, { kind: "failed", failure });
    assert(!existsSync(run.socket), "a failed start leaves no socket");
  });

  test("names a host step that failed", async () => {
    const path = join(workshop, "missing/directory") as HostPath;
    const run = await perform(helper, workshop, {
      argv: ["true"],
      before: [{ op: "directory.make", path, mode: 0o755 }],
    });
    const failure = { step: "0", op: "directory.make", errno: "ENOENT", path };
    assert.deepEqual(run.gate, { kind: "failed", failure });
  });

  for (const [what, argv, errno, path] of [
    ["a missing command", ["nosuch"], "ENOENT", "nosuch"],
    ["a directory as command", ["/etc"], "EACCES", "/etc"],
    ["a file that is no program", ["/etc/text"], "ENOEXEC", "/etc/text"],
  ] as const) {
    test(`tells the releasing client that exec failed: ${what}`, async () => {
      const run = await perform(helper, workshop, {
        argv,
        child: (directory) => [
          ...container(workshop, directory),
          ...(path === "/etc/text" ? [{ op: "file", path: path as ContainerPath, mode: 0o755 } as const] : []),
        ],
      });
      const client = await attach(run);
      client.send(encodeRelease());
      const { failure } = await client.next("failed");
      assert.deepEqual({ ...failure, step: "" }, { step: "", op: "exec", errno, path });
      await once(client.socket, "close");
      assert.deepEqual([existsSync(run.socket), existsSync(run.stdio.exit)], [false, false]);
    });
  }

  test("runs a session in a running container, in its namespaces", async () => {
    const main = await perform(helper, workshop, { argv: ["sleep", "1000"] });
    const watcher = await attach(main);
    watcher.send(encodeRelease());
    await watcher.next("started");
    const session = await perform(
      helper,
      workshop,
      enterOptions(main, ["sh", "-c", "hostname; ls /proc | grep -c '^1$'; exit 4"]),
    );
    assert.deepEqual(await finish(session), { code: 4, signal: 0, stdout: "workshop\n1\n", stderr: "" });
    watcher.send(encodeSignal(9));
    await watcher.next("exited");
  });

  test("a session ends with its program, though something it started holds its output", async () => {
    const main = await perform(helper, workshop, { argv: ["sleep", "1000"] });
    const watcher = await attach(main);
    watcher.send(encodeRelease());
    await watcher.next("started");
    const session = await perform(helper, workshop, enterOptions(main, ["sh", "-c", "sleep 900 & echo left"]));
    assert.equal((await finish(session)).stdout, "left\n");
    watcher.send(encodeSignal(9));
    await watcher.next("exited");
  });

  test("does not join a container whose pid is another process's by now", async () => {
    const main = await perform(helper, workshop, { argv: ["sleep", "1000"] });
    const watcher = await attach(main);
    assert(main.gate.kind === "gate");
    const { pid, startTime } = main.gate;
    const options = { ...enterOptions(main, ["true"]), resolve: () => ({ pid, startTime: startTime + 1n }) };
    const session = await perform(helper, workshop, options);
    assert(session.gate.kind === "failed");
    assert.deepEqual([session.gate.failure.op, session.gate.failure.errno], ["enter", "ESRCH"]);
    watcher.send(encodeSignal(9));
    await watcher.next("exited");
  });

  test("a container goes on when the helper is killed, and its end is recorded", async () => {
    const other = new Helper(join(workshop, "helper"));
    const run = await perform(other, workshop, { argv: ["sh", "-c", "echo before; sleep 0.3; echo after; exit 9"] });
    const client = await attach(run);
    client.send(encodeRelease());
    await client.until(() => client.text().includes("before"), "before");
    const ended = once(other.process, "exit");
    other.process.kill("SIGKILL");
    await ended;
    const again = await attach(run);
    const welcome = await again.next("welcome");
    assert.deepEqual(await outcome(again), { code: 9, signal: 0, stdout: "after\n", stderr: "" });
    assert.equal(welcome.released, true);
    assert.equal(
      logOf(run)
        .map(({ log }) => log)
        .join(""),
      "before\nafter\n",
    );
  });

  test("ends when its standard input does", async () => {
    const process_ = spawn(join(workshop, "helper"), ["serve"], { stdio: ["pipe", "pipe", "inherit"] });
    process_.stdin.end();
    assert.deepEqual(await once(process_, "exit"), [0, null]);
  });

  test("runs from a sealed copy of itself", () => {
    const executable = readFileSync(`/proc/${helper.process.pid}/maps`, "utf8");
    assert.match(executable, /memfd:tsbox-helper/);
  });

  for (const via of ["fsopen", "mount"] as const) {
    test(`mounts an overlay of 499 layers and more through ${via}`, async () => {
      const layers = Array.from({ length: 499 }, (_, i) =>
        join(workshop, "many", `layer-with-a-rather-long-name-${i}`),
      );
      for (const layer of layers) mkdirSync(layer, { recursive: true });
      mkdirSync(join(layers[7] ?? "", "seven"), { recursive: true });
      const child = (directory: string): ChildOp[] =>
        container(workshop, directory).map((op) =>
          op.op === "overlay" ? { ...op, via, lowers: [...op.lowers, ...(layers as HostPath[])] } : op,
        );
      const run = await perform(helper, workshop, { argv: ["ls", "-d", "/seven"], child });
      assert.equal((await finish(run)).stdout, "/seven\n");
    });
  }

  test("stays inside the root when the image puts symlinks in the way of a mount", async () => {
    const secret = join(workshop, "secret");
    mkdirSync(secret);
    const child = (directory: string): ChildOp[] => {
      const ops = container(workshop, directory);
      const at = ops.findIndex((op) => op.op === "pivot");
      const trap: ChildOp[] = [
        { op: "symlink", path: "/trap" as ContainerPath, target: workshop },
        { op: "directory", path: "/trap/secret/made" as ContainerPath, mode: 0o755 },
        {
          op: "mount",
          type: "tmpfs",
          source: "t",
          target: "/trap/secret/made" as ContainerPath,
          flags: [],
          options: "",
        },
        { op: "file", path: "/trap/secret/made/file" as ContainerPath, mode: 0o600 },
      ];
      return ops.toSpliced(at, 0, ...trap);
    };
    const run = await perform(helper, workshop, { argv: ["ls", "/trap/secret/made"], child });
    assert.equal((await finish(run)).stdout, "file\n");
    assert.deepEqual(readdirSync(secret), [], "nothing was made outside");
  });

  test("binds host directories with their flags, and masks and protects paths", async () => {
    const source = join(workshop, "source") as HostPath;
    mkdirSync(source, { recursive: true });
    const inside = (path: string): ContainerPath => path as ContainerPath;
    const child = (directory: string): ChildOp[] => {
      const ops = container(workshop, directory);
      const pivot = ops.findIndex((op) => op.op === "pivot");
      return ops
        .toSpliced(
          pivot + 1,
          0,
          { op: "mask", path: inside("/proc/kcore") },
          { op: "mask", path: inside("/proc/fs") },
          { op: "mask", path: inside("/proc/nothing") },
          { op: "readonly", path: inside("/proc/sys") },
          { op: "readonly", path: inside("/") },
        )
        .toSpliced(
          pivot,
          0,
          { op: "directory", path: inside("/x"), mode: 0o755 },
          {
            op: "bind",
            source,
            target: inside("/x"),
            recursive: true,
            flags: ["ro", "nosuid"],
            propagation: "rprivate",
          },
        );
    };
    const script =
      "touch /x/f; touch /f; ls /proc/fs; cat /proc/kcore; echo 1 >/proc/sys/vm/swappiness; grep ' /x ' /proc/self/mountinfo";
    const run = await perform(helper, workshop, {
      argv: [
        "/bin/busybox",
        "sh",
        "-c",
        script.replaceAll("touch", "busybox touch").replaceAll("grep", "busybox grep"),
      ],
      child,
    });
    const { stdout, stderr } = await finish(run);
    assert.deepEqual(stderr.match(/Read-only file system/g)?.length, 3, stderr);
    assert.match(stdout, /^\S+ \S+ \S+ \S+ \/x ro,nosuid[^\n]*\n$/);
  });

  test("drops to a user with exactly the capabilities given, before a seccomp filter and exec", async () => {
    const child = (directory: string): ChildOp[] => [
      ...container(workshop, directory),
      { op: "user", uid: 1000, gid: 1001, groups: [7, 8] },
      {
        op: "capabilities",
        bounding: ["CAP_CHOWN", "CAP_NET_RAW"],
        permitted: ["CAP_NET_RAW"],
        effective: ["CAP_NET_RAW"],
        inheritable: ["CAP_NET_RAW"],
        ambient: ["CAP_NET_RAW"],
      },
      { op: "no.new.privileges" },
    ];
    const script = "id; grep -E '^(Cap|NoNew)' /proc/self/status; echo out >/dev/stderr";
    const run = await perform(helper, workshop, {
      argv: ["sh", "-c", script.replace("grep", "busybox grep").replace("/dev/stderr", "/proc/self/fd/2")],
      child,
    });
    const { stdout, stderr } = await finish(run);
    assert.deepEqual(stdout.split("\n").slice(0, -1), [
      "uid=1000 gid=1001 groups=7,8",
      "CapInh:\t0000000000002000",
      "CapPrm:\t0000000000002000",
      "CapEff:\t0000000000002000",
      "CapBnd:\t0000000000002001",
      "CapAmb:\t0000000000002000",
      "NoNewPrivs:\t1",
    ]);
    assert.equal(stderr, "out\n");
  });

  test("makes, fills, joins, kills and removes cgroups, and finds them gone already", async () => {
    const mount = "/sys/fs/cgroup/pids" as HostPath;
    if (!existsSync(join(mount, "cgroup.procs"))) return;
    const cgroup: Cgroup = { controller: "pids", mount, path: `tsbox-native-${process.pid}/box` };
    const parent: Cgroup = { ...cgroup, path: `tsbox-native-${process.pid}` };
    const run = await perform(helper, workshop, {
      argv: ["sh", "-c", "busybox cat /proc/self/cgroup | busybox grep pids; sleep 1000"],
      before: [
        { op: "cgroup.make", cgroup },
        { op: "cgroup.set", cgroup, file: "pids.max", value: "20" },
      ],
      child: (directory) => [{ op: "cgroup.join", cgroup }, ...container(workshop, directory)],
    });
    const client = await attach(run);
    client.send(encodeRelease());
    await client.until(() => client.text().includes("\n"), "a line");
    assert.match(client.text(), new RegExp(`:pids:/(.*/)?${cgroup.path}\n`));
    assert.equal(readFileSync(join(mount, cgroup.path, "pids.max"), "utf8"), "20\n");
    const undo: Plan = {
      steps: [
        { op: "cgroup.kill", cgroup },
        { op: "cgroup.remove", cgroup },
        { op: "cgroup.remove", cgroup: parent },
      ],
    };
    assert.deepEqual(await helper.ask({ kind: "carry-out", plan: undo }), { kind: "done" });
    assert.equal((await outcome(client)).signal, 9);
    assert.deepEqual(await helper.ask({ kind: "carry-out", plan: undo }), { kind: "done" });
    assert(!existsSync(join(mount, parent.path)));
  });

  test("runs a container in a user namespace of its own over id-mapped layers", async () => {
    const maps = [{ inside: 0, outside: 200000, count: 65536 }];
    const idMaps = { uids: maps, gids: maps };
    const child = (directory: string): ChildOp[] =>
      container(workshop, directory).map((op) => (op.op === "overlay" ? { ...op, idMaps } : op));
    const script =
      "id -u; cat /proc/self/uid_map; busybox touch /made; busybox stat -c %u:%g /bin/busybox /made; hostname >/proc/self/fd/1";
    const run = await perform(helper, workshop, {
      argv: ["sh", "-c", script],
      create: [...allNamespaces, "user"],
      idMaps,
      child,
    });
    const { stdout, stderr } = await finish(run);
    assert.deepEqual(
      {
        lines: stdout
          .trim()
          .split(/\s*\n\s*/)
          .map((line) => line.replace(/\s+/g, " ")),
        stderr,
      },
      {
        lines: ["0", "0 200000 65536", "0:0", "0:0", "workshop"],
        stderr: "",
      },
    );
    assert.equal(statSync(join(run.directory, "upper/made")).uid, 0, "on disk it is root's, as the image's files are");
  });

  test("leaves no monitor, no mount and no socket behind", async () => {
    await sleep(100);
    assert.deepEqual(heldSockets(workshop), []);
    assert.doesNotMatch(readFileSync("/proc/self/mountinfo", "utf8"), new RegExp(workshop));
    const sockets = readdirSync(workshop).filter(
      (name) => name.startsWith("c-") && existsSync(join(workshop, name, "s")),
    );
    assert.deepEqual(sockets, []);
  });
});

function enterOptions(main: Run, argv: readonly [string, ...string[]]): Parameters<typeof perform>[2] {
  assert(main.gate.kind === "gate");
  const { pid, startTime } = main.gate;
  const namespaces = [...allNamespaces];
  const joined = { container: "c" as ContainerId, namespaces };
  return {
    argv,
    create: [],
    join: joined,
    resolve: () => ({ pid, startTime }),
    child: () => [{ op: "enter", join: joined }],
  };
}
