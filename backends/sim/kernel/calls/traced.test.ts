import assert from "node:assert/strict";
import { test } from "node:test";
import { Errno } from "../../../../core/base/errno.ts";
import { snapshotOf } from "../../snapshot.ts";
import { bootTime, inProcess, smallHost, writeFile } from "../../testing/small-host.ts";
import type { Fd, Pid, Sys } from "../sys.ts";
import { tracing } from "./traced.ts";
import type { TraceEvent, TraceValue } from "../trace.ts";

function shown(value: TraceValue | null): string {
  if (value === null) return "?";
  if (value instanceof Uint8Array) return JSON.stringify(new TextDecoder().decode(value));
  return typeof value === "object" ? JSON.stringify(value.text) : String(value);
}

function line(event: TraceEvent): string {
  switch (event.kind) {
    case "call": {
      const end = event.errno === null ? shown(event.result) : `-1 ${event.errno}`;
      return `${event.name}(${event.arguments.map(shown).join(", ")}) = ${end}`;
    }
    case "signal":
      return `signal ${event.info.signal} ${event.info.code}`;
    case "exit":
      return `exit ${event.code} ${event.signal}`;
    case "lost":
      return `lost ${event.count}`;
  }
}

async function all(sys: Sys, fd: Fd): Promise<TraceEvent[]> {
  const events: TraceEvent[] = [];
  for (;;) {
    const some = await sys.readTrace(fd, 100);
    if (some.length === 0) return events;
    events.push(...some);
  }
}

/** A child that waits until it is traced: its first event is the end of that. */
function gated(sys: Sys, body: (own: Sys) => Promise<number>): { child: Pid; go: () => Promise<unknown> } {
  const { read, write } = sys.pipe();
  const child = sys.fork(async (own) => {
    await own.read(read, 1);
    return body(own);
  });
  return { child, go: () => sys.write(write, Uint8Array.of(1)) };
}

async function tracedLines(body: (own: Sys) => Promise<number>, follow = false): Promise<string[]> {
  return inProcess(smallHost({ say: async (own) => own.write(1, Uint8Array.of(104)) }), async (sys) => {
    const { child, go } = gated(sys, body);
    const fd = await sys.trace(child, { follow });
    await go();
    return (await all(sys, fd)).map(line).slice(1);
  });
}

test("a traced process's calls are told by Linux's names, with arguments, results and errors", async () => {
  const lines = await tracedLines(async (own) => {
    const fd = await own.open("/tmp/f", { access: "write", create: true, mode: 0o600 });
    await own.write(fd, new TextEncoder().encode("hi"));
    own.close(fd);
    own.stat("/tmp/f");
    try {
      own.makeDirectory("/tmp/none/x", 0o755);
    } catch (thrown) {
      assert.ok(thrown instanceof Errno);
    }
    own.setAttributes("/tmp/f", { mode: 0o644, uid: 5, gid: 6 });
    own.unshare(["uts", "mount"]);
    await own.sleep(5n);
    return 7;
  });
  assert.deepEqual(lines, [
    'openat(AT_FDCWD, "/tmp/f", O_WRONLY|O_CREAT, 0600) = 2',
    'write(2, "hi", 2) = 2',
    "close(2) = 0",
    'newfstatat(AT_FDCWD, "/tmp/f", {st_mode=S_IFREG|0600, st_size=2, ...}, 0) = 0',
    'mkdir("/tmp/none/x", 0755) = -1 ENOENT',
    'chown("/tmp/f", 5, 6) = 0',
    'chmod("/tmp/f", 0644) = 0',
    "unshare(CLONE_NEWUTS|CLONE_NEWNS) = 0",
    "clock_nanosleep(CLOCK_REALTIME, 0, {tv_sec=0, tv_nsec=5}, NULL) = 0",
    "exit_group(7) = ?",
    "exit 7 0",
  ]);
});

test("children are followed when that is asked for, through execve", async () => {
  const body = async (own: Sys): Promise<number> => {
    const pid = await own.spawn("/bin/say", ["say", "x"], ["A=b"], { fds: new Map() });
    await own.wait(pid);
    return 0;
  };
  const followed = await tracedLines(body, true);
  assert.deepEqual(followed, [
    "clone(child_stack=NULL, flags=SIGCHLD) = 4",
    'execve("/bin/say", ["say", "x"], /* 1 vars */) = 0',
    'write(1, "h", 1) = -1 EBADF',
    "signal 11 SI_KERNEL",
    "exit 139 11",
    "wait4(4, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV}], 0, NULL) = 4",
    "signal 17 CLD_KILLED",
    "exit_group(0) = ?",
    "exit 0 0",
  ]);
  assert.deepEqual(
    (await tracedLines(body)).map((each) => each.split("(")[0]),
    ["clone", "wait4", "signal 17 CLD_KILLED", "exit_group", "exit 0 0"],
  );
});

test("who runs already is traced from then on, and goes on untraced when its tracer is gone", async () => {
  const seen = await inProcess(smallHost(), async (sys) => {
    const child = sys.fork(async (own) => {
      for (let count = 0; count < 4; count++) await own.sleep(1_000_000n);
      return 0;
    });
    await sys.sleep(1_500_000n);
    const fd = await sys.trace(child);
    const status = (): Promise<boolean> => inStatus(sys, child);
    const during = await status();
    await sys.sleep(1_000_000n);
    const events = await sys.readTrace(fd, 100);
    sys.close(fd);
    const after = await status();
    await sys.wait(child);
    return [events.map(line), during, after];
  });
  const sleep = "clock_nanosleep(CLOCK_REALTIME, 0, {tv_sec=0, tv_nsec=1000000}, NULL) = 0";
  assert.deepEqual(seen, [[sleep], true, false]);
});

async function inStatus(sys: Sys, pid: Pid): Promise<boolean> {
  const fd = await sys.open(`/proc/${pid}/status`, { access: "read" });
  const text = new TextDecoder().decode(await sys.read(fd, 4096));
  sys.close(fd);
  return text.includes(`TracerPid:\t${sys.pid}\n`);
}

test("one may not trace oneself, nobody, a stranger, or who is traced already", async () => {
  const errors = await inProcess(smallHost(), async (sys) => {
    const child = sys.fork(async (own) => {
      await own.sleep(1_000_000_000n);
      return 0;
    });
    const attempt = async (by: Sys, pid: Pid): Promise<string> => {
      try {
        by.close(await by.trace(pid));
        return "traced";
      } catch (thrown) {
        if (thrown instanceof Errno) return thrown.errno;
        throw thrown;
      }
    };
    const held = await sys.trace(child);
    const own = [await attempt(sys, sys.pid), await attempt(sys, 999), await attempt(sys, child)];
    sys.close(held);
    const seen: string[] = [];
    sys.fork(async (stranger) => {
      stranger.setCredentials({ uid: 1000 });
      seen.push(await attempt(stranger, child));
      return 0;
    });
    await sys.wait(-1);
    return [...own, await attempt(sys, child), ...seen];
  });
  assert.deepEqual(errors, ["EPERM", "ESRCH", "EPERM", "traced", "EPERM"]);
});

test("a trace whose reader sleeps is bounded, and tells what it lost", async () => {
  const events = await inProcess(smallHost(), async (sys) => {
    const { child, go } = gated(sys, async (own) => {
      for (let count = 0; count < 20_000; count++) own.umask(0o22);
      return 0;
    });
    const fd = await sys.trace(child);
    await go();
    await sys.sleep(1_000_000_000n);
    return all(sys, fd);
  });
  const [first] = events;
  assert.deepEqual(first, { kind: "lost", count: 4096 });
  assert.equal(events.length, 1 + 20_003 - 4096);
});

test("who looks on from outside sees every process and changes nothing", async () => {
  const live = async (watched: boolean): Promise<{ names: string[]; state: unknown }> => {
    const kernel = smallHost();
    const names: string[] = [];
    const end = watched
      ? kernel.observers.watch((event) => names.push(event.kind === "call" ? event.name : event.kind), tracing)
      : null;
    await inProcess(kernel, async (sys) => {
      await writeFile(sys, "/tmp/f", "text");
      sys.fork(async (own) => own.umask(0));
      await sys.wait(-1);
    });
    end?.();
    await inProcess(kernel, (sys) => writeFile(sys, "/tmp/g", "more"));
    const { step, now, state } = snapshotOf(kernel);
    return { names, state: { step, now: now - bootTime, state } };
  };
  const [seen, unseen] = [await live(true), await live(false)];
  assert.deepEqual(seen.state, unseen.state);
  const calls = ["openat", "write", "close", "clone", "umask", "exit_group", "exit", "wait4", "exit_group", "exit"];
  assert.deepEqual(seen.names, calls);
});
