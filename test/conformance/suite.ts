/**
 * The conformance suite: what every Machine must do, whichever world it is of. A case is a sentence
 * about a container; a world that cannot do one says why (`skips`). Truth comes from the real kernel:
 * what passes there is what the simulated one has to show.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ContainerPath, HostPath } from "../../core/base/brand.ts";
import { decodeBytes, readAll, streamOf } from "../../core/base/bytes.ts";
import type { ContainerFiles, Task } from "../../core/engine/machine.ts";
import type { DiffId } from "../../core/image/digest.ts";
import type { Mount } from "../../core/runtime/mount.ts";
import { PlanError } from "../../core/runtime/plan-error.ts";
import { undo } from "../../core/runtime/undo.ts";
import { viewOfRunning, viewOfStill } from "../../core/runtime/view.ts";
import type { Entry, Meta, TreePath } from "../../core/unionfs/change.ts";
import {
  busyboxLayers,
  collect,
  Container,
  ended,
  finish,
  type ImageName,
  readUntil,
  wasiLayers,
  type Outcome,
  type Wishes,
} from "./container.ts";
import { unlimited } from "../../core/runtime/resources.ts";
import type { Skips, World } from "./world.ts";

const SIGTERM = 15;
const SIGKILL = 9;
const megabyte = 1 << 20;

export function conformance(name: string, open: () => Promise<World>, skips: Skips = {}): void {
  describe(`conformance of ${name}`, { concurrency: false }, () => {
    let world: World;
    let layers: Readonly<Record<ImageName, readonly DiffId[]>>;

    before(async () => {
      world = await open();
      layers = { busybox: await busyboxLayers(world), wasi: await wasiLayers(world) };
    });

    after(async () => {
      await world.close();
    });

    /** One container's life: create, use, remove; nothing may be left. */
    function container(
      sentence: string,
      wished: Wishes | (() => Wishes),
      use: (container: Container) => Promise<void>,
    ): void {
      const reason = skips[sentence];
      test(sentence, { skip: reason ?? false, timeout: 60_000 }, async () => {
        const wishes = typeof wished === "function" ? wished() : wished;
        const made = await Container.create(world, layers[wishes.image ?? "busybox"], wishes);
        try {
          await use(made);
        } finally {
          await made.remove();
        }
        assert.deepEqual(await world.left(), [], "what is left");
      });
    }

    /** A program run to its end. */
    function run(sentence: string, argv: [string, ...string[]], expected: Partial<Outcome>, wishes: Wishes = {}): void {
      container(sentence, { argv, ...wishes }, async (made) => {
        const outcome = await finish(await made.perform());
        const actual = Object.fromEntries(Object.keys(expected).map((key) => [key, outcome[key as keyof Outcome]]));
        assert.deepEqual(actual, expected, JSON.stringify(outcome));
      });
    }

    const shell = (script: string): [string, ...string[]] => ["sh", "-c", script];

    // Life of a task

    container("nothing of the image runs before the gate opens", { argv: shell("echo ran") }, async (made) => {
      const task = await made.perform();
      assert.deepEqual(await made.log(), []);
      assert.equal((await finish(task)).stdout, "ran\n");
    });

    run("the program's output and exit code arrive", shell("echo out; echo err >&2; exit 7"), {
      stdout: "out\n",
      stderr: "err\n",
      code: 7,
      signal: 0,
    });

    run(
      "a program that ends itself by a signal exits with 128 and the signal",
      shell("kill -9 $$ & wait; sleep 5 & exec sh -c 'exit 137'"),
      { code: 137 },
    );

    container(
      "what a program wrote is told as added, changed and deleted paths",
      {
        argv: shell(
          "mkdir /new; echo 1 > /new/file; echo 2 >> /etc/group; rm /etc/passwd; ln -s x /etc/link; rm -r /home",
        ),
      },
      async (made) => {
        await finish(await made.perform());
        const { layers: driver } = world.machine;
        const differences = await driver.differences(made.id, layers.busybox);
        const written = differences.map(({ kind, path }) => `${kind} ${path}`);
        // What the plan puts beneath its mounts is told by the engine's init layer, which is not part of this suite.
        const mounted = /^. \/(dev|proc|sys|etc\/(hosts|hostname|resolv\.conf))(\/|$)/;
        assert.deepEqual(
          written.filter((line) => !mounted.test(line)),
          ["C /etc", "C /etc/group", "A /etc/link", "D /etc/passwd", "D /home", "A /new", "A /new/file"],
        );
      },
    );

    container(
      "all its files are told as the union shows them while it runs: sorted, hard links as such, no mounts",
      {
        argv: shell(
          "mkdir -p /new/m; echo 1 > /new/b; ln /new/b /new/a; ln -s b /new/l; echo 2 > /tmp/no; rm -r /home; rm /etc/passwd; echo ready; exec sleep 100",
        ),
        mounts: [tmpfs("/tmp")],
      },
      async (made) => {
        const task = await ready(made);
        const told: string[] = [];
        for await (const change of world.machine.layers.merged(made.id, layers.busybox)) {
          const target = change.kind === "hardlink" || change.kind === "symlink" ? ` ${change.target}` : "";
          const isTold = /^(new|home|etc\/(passwd|group)|tmp)\b/.test(change.path) || change.path === "";
          if (isTold) told.push(`${change.kind} ${change.path}${target}`);
          if (change.path !== "new/a") continue;
          assert.ok(change.kind === "file");
          assert.equal(decodeBytes(await readAll(change.content, 10)), "1\n");
        }
        await task.signal(SIGKILL);
        await ended(task);
        assert.deepEqual(told, [
          "directory ",
          "file etc/group",
          "directory new",
          "file new/a",
          "hardlink new/b new/a",
          "symlink new/l b",
          "directory new/m",
          "directory tmp",
        ]);
      },
    );

    container(
      "each line of output is logged with its stream and time",
      { argv: shell("echo one; echo two >&2; printf three") },
      async (made) => {
        await finish(await made.perform());
        const log = await made.log();
        assert.deepEqual(log.map(({ log: text, stream }) => `${stream} ${text}`).toSorted(byText), [
          "stderr two\n",
          "stdout one\n",
          "stdout three",
        ]);
        for (const { time } of log) assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/);
      },
    );

    /** Whatever symlinks say: the files seen from outside are those that the container's own processes see. */
    async function looksInside(files: ContainerFiles): Promise<void> {
      assert.deepEqual([(await files.stat("/out")).kind, (await files.stat("/out")).target], ["symlink", "/../../.."]);
      assert.equal((await files.stat("/out/mark")).size, 5);
      await assert.rejects(files.stat("/out/nosuch"), { errno: "ENOENT" });
      await assert.rejects(files.stat("/loop/x"), { errno: "ELOOP" });
      const meta = { mode: 0o640, uid: 3, gid: 4, mtime: 1_700_000_000_123_456_789n, xattrs: new Map() };
      const path = "out/new/deep" as TreePath;
      const entries = async function* (): AsyncGenerator<Entry, void, undefined> {
        yield { kind: "file", path, meta, size: 3, content: streamOf(new Uint8Array([1, 2, 3])) };
      };
      await files.write("/out", entries());
      assert.deepEqual(await files.stat("/new/deep"), { kind: "file", ...without(meta), size: 3, target: "" });
      const found: string[] = [];
      for await (const { kind, path: at } of files.read("/new")) found.push(`${kind} ${at}`);
      assert.deepEqual(found, ["directory ", "file deep"]);
      await assert.rejects(files.write("/mark", entries()), { errno: "ENOTDIR" });
    }

    const script = shell("echo mark > /mark; ln -s /../../.. /out; ln -s loop /loop; echo ready; sleep 100");

    container(
      "the files of a running container are seen from within it, symlinks or not",
      { argv: script },
      async (made) => {
        const task = await ready(made);
        await looksInside(world.machine.files(viewOfRunning(made.id, made.plan)));
        await task.signal(SIGKILL);
        await ended(task);
      },
    );

    container("so are those of one that has ended, put together for the moment", { argv: script }, async (made) => {
      const task = await ready(made);
      await task.signal(SIGKILL);
      await ended(task);
      await world.machine.carryOut(undo(made.plan));
      const { layers: driver, traits } = world.machine;
      const root = driver.overlay(made.id, layers.busybox);
      const view = { root, mounts: [], traits, ownUsers: false };
      await looksInside(world.machine.files(viewOfStill({ ...view, readonly: false })));
      const protectedFiles = world.machine.files(viewOfStill({ ...view, readonly: true }));
      await assert.rejects(protectedFiles.write("/", oneDirectory()), { errno: "EROFS" });
    });

    for (const [what, program, errno] of [
      ["a command that does not exist", "nosuchcommand", "ENOENT"],
      ["a directory as command", "/etc", "EACCES"],
      ["a file that is not executable", "/etc/passwd", "EACCES"],
    ] as const) {
      container(`${what} fails at exec with ${errno}`, { argv: [program] }, async (made) => {
        const task = await made.perform();
        await assert.rejects(task.release(), failsAtExec(errno));
      });
    }

    container(
      "a mount whose source is missing fails naming the step and the path",
      { mounts: [bind("/nonexistent/source", "/mnt")] },
      async (made) => {
        await assert.rejects(made.perform(), (thrown) => {
          assert.ok(thrown instanceof PlanError, String(thrown));
          assert.deepEqual(
            [thrown.failure.op, thrown.failure.errno, thrown.failure.path],
            ["bind", "ENOENT", "/nonexistent/source"],
          );
          assert.match(thrown.failure.step, /^\d+\.\d+$/);
          return true;
        });
      },
    );

    // Isolation

    run("the program is pid 1 and sees only its own processes", shell("echo $$; set -- /proc/[0-9]*; echo $#"), {
      stdout: "1\n1\n",
    });
    run("the host name is the container's", ["hostname"], { stdout: "alpha\n" }, { hostname: "alpha" });
    run(
      "the domain name is the container's",
      shell("cat /proc/sys/kernel/domainname"),
      { stdout: "example.org\n" },
      { domainname: "example.org" },
    );
    run("the only network device is lo, and it is up", shell("ls /sys/class/net; cat /sys/class/net/lo/flags"), {
      stdout: "lo\n0x9\n",
    });
    run(
      "the cgroup namespace shows the container's cgroup as the root",
      shell("cut -d: -f3 /proc/self/cgroup | sort -u"),
      { stdout: "/\n" },
    );
    run(
      "no descriptor of the host is inherited",
      shell("ls /proc/self/fd | wc -l; ls -l /proc/1/fd | grep -c -e socket: -e memfd"),
      { stdout: "4\n0\n" },
    );
    run(
      "masked paths show nothing",
      shell("cat /proc/kcore | wc -c; ls /proc/acpi /sys/firmware 2>/dev/null | grep -v : | wc -w"),
      { stdout: "0\n0\n" },
    );
    run("kernel settings are read-only", shell("echo 1 > /proc/sys/kernel/sysrq"), { code: 1, stdout: "" });
    run("/sys is read-only", shell("mkdir /sys/x 2>/dev/null || echo refused"), { stdout: "refused\n" });
    run("the capabilities are Docker's fourteen", shell("grep CapEff /proc/self/status"), {
      stdout: "CapEff:\t00000000a80425fb\n",
    });
    run(
      "dropped capabilities are gone",
      shell("grep CapBnd /proc/self/status"),
      { stdout: "CapBnd:\t0000000000000000\n" },
      { capabilities: { add: [], drop: ["ALL"] } },
    );
    run("a seccomp filter is in force", shell("grep ^Seccomp: /proc/self/status"), { stdout: "Seccomp:\t2\n" });
    run("seccomp refuses what Docker's default refuses", shell("unshare -U true 2>&1 || echo refused"), {
      stdout: "unshare: unshare(0x10000000): Operation not permitted\nrefused\n",
    });
    run(
      "no-new-privileges is set when asked",
      shell("grep NoNewPrivs /proc/self/status"),
      { stdout: "NoNewPrivs:\t1\n" },
      { noNewPrivileges: true },
    );
    run("mounting is not permitted", shell("mount -t tmpfs x /mnt 2>/dev/null || echo refused"), {
      stdout: "refused\n",
    });
    run(
      "the devices of a container are there and work",
      shell("echo x > /dev/null; head -c 3 /dev/zero | wc -c; head -c 5 /dev/urandom | wc -c; readlink /dev/stdout"),
      {
        stdout: "3\n5\n/proc/self/fd/1\n",
      },
    );

    // Process

    run(
      "environment and directory are exactly those asked for",
      shell("pwd; env | grep -v -e ^PWD= -e ^SHLVL= -e ^_= | sort"),
      { stdout: "/some/where\nA=1\nHOME=/root\nHOSTNAME=h\nPATH=/bin\n" },
      {
        cwd: "/some/where",
        env: ["PATH=/bin", "A=1"],
        hostname: "h",
      },
    );
    run(
      "user and groups are those asked for",
      shell("id -u; id -g; id -G; grep CapEff /proc/self/status"),
      { stdout: "1000\n1001\n1001 2002\nCapEff:\t0000000000000000\n" },
      {
        user: { uid: 1000, gid: 1001, additionalGids: [2002], home: "/" },
      },
    );
    run(
      "ulimits are set",
      shell("ulimit -n"),
      { stdout: "123\n" },
      { ulimits: [{ name: "nofile", soft: 123, hard: 123 }] },
    );

    // Files

    container(
      "what a container writes is its own; the image stays as it was",
      { argv: shell("echo mine > /etc/passwd; rm /bin/vi; mkdir /new; ls -d /new") },
      async (made) => {
        assert.equal((await finish(await made.perform())).stdout, "/new\n");
        const other = await Container.create(world, layers.busybox, {
          argv: shell("grep -c mine /etc/passwd; ls -d /new; ls /bin/vi"),
        });
        try {
          assert.equal((await finish(await other.perform())).stdout, "0\n/bin/vi\n");
        } finally {
          await other.remove();
        }
      },
    );

    run(
      "a read-only root refuses writing, /dev/shm does not",
      shell("echo x > /x || echo refused; echo y > /dev/shm/y && cat /dev/shm/y"),
      { stdout: "refused\ny\n" },
      {
        readonlyRootfs: true,
      },
    );

    test("a host directory can be read through a read-only bind and not written", {
      skip: skips["binds"] ?? false,
    }, async () => {
      const directory = await world.hostDirectory({ greeting: "hello\n" });
      const made = await Container.create(world, layers.busybox, {
        argv: shell("cat /x/greeting; echo y > /x/new || echo refused"),
        mounts: [bind(directory, "/x", true)],
      });
      assert.equal((await finish(await made.perform())).stdout, "hello\nrefused\n");
      await made.remove();
    });

    test("a volume carries files from one container to the next, also over a symlink in the image's way", {
      skip: skips["binds"] ?? false,
    }, async () => {
      const directory = await world.hostDirectory({});
      for (const [script, expected] of [
        ["echo kept > /data/file", ""],
        ["cat /data/file", "kept\n"],
      ] as const) {
        const made = await Container.create(world, layers.busybox, {
          argv: shell(script),
          mounts: [bind(directory, "/data")],
        });
        assert.equal((await finish(await made.perform())).stdout, expected);
        await made.remove();
      }
      assert.equal(await world.hostFile(`${directory}/file`), "kept\n");
    });

    run(
      "a tmpfs has the size asked for",
      shell("df -k /t | tail -1 | awk '{print $2}'"),
      { stdout: "1024\n" },
      {
        mounts: [tmpfs("/t", "size=1m")],
      },
    );

    // Limits

    container(
      "a program that needs more memory than its limit is killed, and the kill is counted",
      {
        argv: shell("tail /dev/zero"),
        resources: { ...unlimited, memoryBytes: 16 * megabyte, memorySwapBytes: 16 * megabyte },
      },
      async (made) => {
        const outcome = await finish(await made.perform());
        assert.equal(outcome.code, 137);
        assert.ok((await world.machine.oomKills(made.plan)) >= 1);
      },
    );

    run(
      "a program cannot make more processes than its limit",
      shell("for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done 2>/dev/null; echo unlimited"),
      { stdout: "" },
      {
        resources: { ...unlimited, pidsLimit: 5 },
      },
    );

    container(
      "a program gets no more processor time than its limit",
      { argv: shell("while :; do :; done"), resources: { ...unlimited, nanoCpus: 200_000_000 } },
      async (made) => {
        const task = await made.perform();
        const begin = world.ports.clock.now();
        await task.release();
        await world.ports.clock.sleep(1000);
        const watch = await made.performExec(["cat", "/proc/1/stat"]);
        const ticks = Number((await finish(watch)).stdout.split(" ")[13]) + 0;
        const seconds = Number(world.ports.clock.now() - begin) / 1e9;
        await task.signal(SIGKILL);
        await ended(task);
        assert.ok(ticks > 5 && ticks < 10 + 30 * seconds, `${ticks} ticks of user time in ${seconds} s at 20 %`);
      },
    );

    // Standard streams

    container(
      "standard input reaches the program and its end ends it",
      { argv: ["cat"], stdin: true },
      async (made) => {
        assert.equal((await finish(await made.perform(), "some\ntext")).stdout, "some\ntext");
      },
    );

    run("without standard input the program reads an end at once", ["cat"], { stdout: "", code: 0 });

    container(
      "a flood of output arrives whole",
      { argv: shell("head -c 3000000 /dev/zero | tr '\\0' x") },
      async (made) => {
        const { stdout, code } = await finish(await made.perform());
        assert.deepEqual([stdout.length, code], [3_000_000, 0]);
      },
    );

    container(
      "two clients see the same output; one that goes away disturbs nobody",
      { argv: shell("read a; echo $a; read b; echo $b"), stdin: true, stdinOnce: false },
      async (made) => {
        const task = await made.perform();
        const first = await task.attach({ stdin: true, output: true });
        const second = await task.attach({ stdin: true, output: true });
        const seen = second.output[Symbol.asyncIterator]();
        await task.release();
        await first.write(new TextEncoder().encode("one\n"));
        await readUntil(seen, "one\n");
        first.close();
        await second.write(new TextEncoder().encode("two\n"));
        await readUntil(seen, "two\n");
        assert.equal((await ended(task)).code, 0);
      },
    );

    // Terminal

    const terminal = { terminal: { rows: 24, columns: 80 }, stdin: true };

    container(
      "a terminal has the size asked for and follows a resize",
      { argv: shell("tty; stty size; read x; stty size"), ...terminal },
      async (made) => {
        const task = await made.perform();
        const attachment = await task.attach({ stdin: true, output: true });
        const seen = attachment.output[Symbol.asyncIterator]();
        await task.release();
        assert.equal(await readUntil(seen, "80\r\n"), "/dev/pts/0\r\n24 80\r\n");
        await task.resize(50, 132);
        await attachment.write(new TextEncoder().encode("\n"));
        assert.equal(await readUntil(seen, "132\r\n"), "\r\n50 132\r\n");
        assert.equal((await ended(task)).code, 0);
      },
    );

    container(
      "Ctrl-C on a terminal interrupts the program",
      { argv: shell("trap 'echo caught; exit 3' INT; echo ready; while :; do sleep 0.1; done"), ...terminal },
      async (made) => {
        const task = await made.perform();
        const attachment = await task.attach({ stdin: true, output: true });
        const seen = attachment.output[Symbol.asyncIterator]();
        await task.release();
        await readUntil(seen, "ready");
        await attachment.write(Uint8Array.of(3));
        await readUntil(seen, "caught");
        assert.equal((await ended(task)).code, 3);
      },
    );

    // Signals

    container(
      "a signal reaches the program; after its end there is nobody to signal",
      { argv: shell("trap 'exit 5' TERM; echo ready; while :; do sleep 0.1; done") },
      async (made) => {
        const task = await ready(made);
        await task.signal(SIGTERM);
        assert.equal((await ended(task)).code, 5);
        await assert.rejects(task.signal(SIGTERM), { name: "Errno", errno: "ESRCH" });
      },
    );

    const underInit = (script: string): Wishes => {
      const { init } = world.machine.traits;
      assert.ok(init !== undefined, "this machine has an init to lend");
      const mount: Mount = { ...bind(init, "/sbin/docker-init", true), recursive: false, isFile: true };
      return { argv: ["/sbin/docker-init", "--", ...shell(script)], mounts: [mount] };
    };

    container(
      "an init hands signals on to the program, and ends as it does",
      () => underInit("trap 'exit 5' TERM; echo ready; while :; do sleep 0.1; done"),
      async (made) => {
        const task = await ready(made);
        await task.signal(SIGTERM);
        assert.equal((await ended(task)).code, 5);
      },
    );

    container(
      "an init is the first process, takes in orphans and waits for them",
      () => underInit("sh -c 'sleep 0.1 &'; sleep 0.5; echo $PPID; cat /proc/[0-9]*/stat | grep -c ' Z '; kill -9 $$"),
      async (made) => {
        const { stdout, code } = await finish(await made.perform());
        assert.deepEqual({ stdout, code }, { stdout: "1\n0\n", code: 137 });
      },
    );

    container("a killed program exits with 137", { argv: shell("echo ready; sleep 60") }, async (made) => {
      const task = await ready(made);
      await task.signal(SIGKILL);
      const exit = await ended(task);
      assert.deepEqual([exit.code, exit.signal], [137, SIGKILL]);
    });

    run(
      "in the host's IPC namespace a container has a mounting of its message queues, whatever the host has mounted",
      shell("grep -c ' /dev/mqueue .* - mqueue ' /proc/self/mountinfo"),
      { stdout: "1\n", stderr: "", code: 0 },
      { namespaces: { pid: "private", ipc: "host", uts: "private", network: "private", cgroup: "private" } },
    );

    // Exec sessions

    container(
      "an exec session sees the container's world and has its own exit code",
      { argv: shell("echo ready; sleep 60"), hostname: "beta" },
      async (made) => {
        const task = await ready(made);
        const namespaces = shell(
          "hostname; for n in mnt uts ipc pid net cgroup; do [ $(readlink /proc/1/ns/$n) = $(readlink /proc/self/ns/$n) ] || echo $n; done; exit 4",
        );
        const outcome = await finish(await made.performExec(namespaces));
        assert.deepEqual([outcome.stdout, outcome.stderr, outcome.code], ["beta\n", "", 4]);
        await task.signal(SIGKILL);
        await ended(task);
      },
    );

    container(
      "an exec session is in the container's cgroups and under its filter",
      { argv: shell("echo ready; sleep 60") },
      async (made) => {
        const task = await ready(made);
        const script = shell(
          '[ "$(cat /proc/1/cgroup)" = "$(cat /proc/self/cgroup)" ] && grep -e CapEff -e ^Seccomp: /proc/self/status',
        );
        assert.equal((await finish(await made.performExec(script))).stdout, "CapEff:\t00000000a80425fb\nSeccomp:\t2\n");
        await task.signal(SIGKILL);
        await ended(task);
      },
    );

    container(
      "an exec session of a command that does not exist fails with ENOENT",
      { argv: shell("echo ready; sleep 60") },
      async (made) => {
        const task = await ready(made);
        const session = await made.performExec(["nosuchcommand"]);
        await assert.rejects(session.release(), failsAtExec("ENOENT"));
        await task.signal(SIGKILL);
        await ended(task);
      },
    );

    container(
      "the end of the first process ends its exec sessions",
      { argv: shell("echo ready; read x"), stdin: true },
      async (made) => {
        const task = await ready(made);
        const session = await made.performExec(["sleep", "60"]);
        await session.release();
        await task.signal(SIGKILL);
        await ended(task);
        assert.equal((await ended(session)).code, 137);
      },
    );

    // Recovery

    container(
      "a task outlives the engine and is found again",
      { argv: shell("echo ready; read x; echo got $x; exit 9"), stdin: true },
      async (made) => {
        await ready(made);
        await world.reopen();
        const found = await made.recover();
        assert.ok(found !== "lost" && "attach" in found);
        const attachment = await found.attach({ stdin: true, output: true });
        const output = collect(attachment);
        await attachment.write(new TextEncoder().encode("it\n"));
        assert.equal((await output).stdout, "got it\n");
        assert.equal((await ended(found)).code, 9);
        assert.deepEqual(
          (await made.log()).map(({ log }) => log),
          ["ready\n", "got it\n"],
        );
      },
    );

    container(
      "the exit of a task that ended while no engine ran is kept",
      { argv: shell("echo ready; sleep 0.3; exit 6") },
      async (made) => {
        const task = await ready(made);
        const exited = ended(task);
        await exited;
        await world.reopen();
        const found = await made.recover();
        assert.ok(found !== "lost" && "code" in found);
        assert.equal(found.code, 6);
      },
    );

    container("a container that was never started is lost", {}, async (made) => {
      assert.equal(await made.recover(), "lost");
    });

    // User namespaces

    container(
      "a user namespace maps root to an unprivileged user of the host, and layers still show root's files",
      {
        argv: shell("id -u; cat /proc/self/uid_map; stat -c %u /bin/busybox; touch /made; stat -c %u /made"),
        userMaps: {
          uids: [{ inside: 0, outside: 200000, count: 65536 }],
          gids: [{ inside: 0, outside: 200000, count: 65536 }],
        },
      },
      async (made) => {
        const { stdout } = await finish(await made.perform());
        assert.equal(stdout.replace(/ +/g, " "), "0\n 0 200000 65536\n0\n0\n");
      },
    );

    // Programs for WASI: the same bytes in each world

    const wasi = { image: "wasi", wasm: true } as const;

    container(
      "a program for WASI sees the namespaces, limits and rights it was given",
      {
        argv: ["/hello"],
        ...wasi,
        resources: { ...unlimited, memoryBytes: 256 * megabyte, nanoCpus: 5e8, pidsLimit: 64 },
      },
      async (made) => {
        const { stdout, stderr, code } = await finish(await made.perform());
        assert.deepEqual(
          { code, stderr, facts: factsOf(stdout) },
          { code: 0, stderr: "", facts: seenByHello(made.id.slice(0, 12)) },
        );
      },
    );

    container(
      "a program for WASI reads its input and writes its output",
      { argv: ["/upper"], stdin: true, ...wasi },
      async (made) => {
        assert.equal((await finish(await made.perform(), "both worlds\n")).stdout, "BOTH WORLDS\n");
      },
    );

    run(
      "a program for WASI gets arguments, environment and directory",
      ["/cat", "hostname", "missing"],
      {
        code: 1,
        stdout: "box\n",
        stderr: "cat: missing: No such file or directory\n",
      },
      { ...wasi, cwd: "/proc/sys/kernel", hostname: "box" },
    );

    run(
      "a program for WASI that aborts exits with 134 and a line of why",
      ["/abort"],
      {
        code: 134,
        stdout: "",
        stderr: "/abort: trap: it came to an instruction that is never to be reached (abort)\n",
      },
      wasi,
    );

    container(
      "a program for WASI is killed at its memory limit",
      {
        argv: ["/hog"],
        ...wasi,
        resources: { ...unlimited, memoryBytes: 128 * megabyte, memorySwapBytes: 128 * megabyte },
      },
      async (made) => {
        const { code, stdout } = await finish(await made.perform());
        assert.equal(code, 137);
        assert.match(stdout, /^1 MiB\n2 MiB\n/);
      },
    );

    container(
      "a program for WASI that computes without end can be killed",
      { argv: ["/burn"], ...wasi },
      async (made) => {
        const task = await made.perform();
        await task.release();
        await task.signal(SIGKILL);
        assert.equal((await ended(task)).code, 137);
      },
    );

    container("an exec session runs another program for WASI beside it", { argv: ["/burn"], ...wasi }, async (made) => {
      const task = await made.perform();
      await task.release();
      const session = await made.performExec(["/hello"]);
      assert.equal(factsOf((await finish(session)).stdout)["hostname"], made.id.slice(0, 12));
      await task.signal(SIGKILL);
      await ended(task);
    });

    // Undo

    container("undoing twice, and undoing what was never performed, is harmless", { argv: ["true"] }, async (made) => {
      await made.undo();
      await finish(await made.perform());
      await made.undo();
      await made.undo();
    });

    container("undo ends what still runs", { argv: shell("echo ready; sleep 60") }, async (made) => {
      const task = await ready(made);
      await made.undo();
      assert.equal((await ended(task)).code, 137);
    });

    test("after all that every layer is whole", async () => {
      for await (const { path, problem } of world.machine.layers.check()) assert.fail(`${path} ${problem}`);
    });
  });
}

/** hello's lines by their names, without what each kernel numbers as it likes. */
function factsOf(text: string): Record<string, string> {
  const lines = text.split("\n").flatMap((line) => {
    const [, name = "", value = ""] = /^(\S.{14}) (.{32}|\S+) \S/.exec(line) ?? [];
    return name === "" ? [] : [[name.trim(), value.trim().replace(/\[\d+\]/, "[…]")] as const];
  });
  return Object.fromEntries(lines.filter(([name]) => name !== "kernel"));
}

/** What there is to see under the limits of the case. */
function seenByHello(hostname: string): Record<string, string> {
  const namespaces = {
    cgroup: "cgroup",
    ipc: "ipc",
    mount: "mnt",
    network: "net",
    pid: "pid",
    time: "time",
    user: "user",
    uts: "uts",
  };
  return {
    hostname,
    pid: "1",
    processes: "1",
    user: "0:0",
    "uid map": "0 is 0, for 4294967295",
    root: "overlay, read-write",
    network: "lo",
    cgroup: "/",
    "memory limit": String(256 * megabyte),
    "cpu limit": "50000 100000",
    "pids limit": "64",
    capabilities: "14 of 41",
    seccomp: "filter",
    no_new_privs: "off",
    ...Object.fromEntries(Object.entries(namespaces).map(([name, link]) => [`${name} ns`, `${link}:[…]`])),
  };
}

/** The two streams are logged as they come, in either order. */
function byText(a: string, b: string): number {
  return a < b ? -1 : 1;
}

/** Whether what was thrown says that exec failed, and with which errno. */
function failsAtExec(errno: string): (thrown: unknown) => boolean {
  return (thrown) => {
    assert.ok(thrown instanceof PlanError, String(thrown));
    assert.deepEqual([thrown.failure.op, thrown.failure.errno], ["exec", errno]);
    assert.match(thrown.failure.step, /^\d+\.\d+$/);
    return true;
  };
}

function without({ mode, uid, gid, mtime }: Meta): Omit<Meta, "xattrs"> {
  return { mode, uid, gid, mtime };
}

async function* oneDirectory(): AsyncGenerator<Entry, void, undefined> {
  yield {
    kind: "directory",
    path: "d" as TreePath,
    meta: { mode: 0o755, uid: 0, gid: 0, mtime: 0n, xattrs: new Map() },
  };
}

/** Runs to the line "ready". */
async function ready(made: Container): Promise<Task> {
  const task = await made.perform();
  const attachment = await task.attach({ stdin: false, output: true });
  const output = attachment.output[Symbol.asyncIterator]();
  await task.release();
  await readUntil(output, "ready\n");
  attachment.close();
  return task;
}

function bind(source: string, target: string, readonly = false): Mount {
  return {
    kind: "bind",
    source: source as HostPath,
    target: target as ContainerPath,
    readonly,
    recursive: true,
    propagation: "",
    isFile: false,
    options: "",
  };
}

function tmpfs(target: string, options = ""): Mount {
  return { ...bind("", target), kind: "tmpfs", recursive: false, options };
}
