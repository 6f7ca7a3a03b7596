import assert from "node:assert/strict";
import { test } from "node:test";
import type { HostPath } from "../base/brand.ts";
import { encodeText } from "../base/bytes.ts";
import { Errno } from "../base/errno.ts";
import { messageOf, TsboxError } from "../base/error.ts";
import type { LogOptions } from "./engine.ts";
import { noHostConfig } from "./testing/memory-images.ts";
import { engineInMemory, leftovers, outputOf, request, up } from "./testing/engine-in-memory.ts";

const nothing = { layers: [], cgroups: [], running: [], files: [] };
/** Lets everything happen that needs no time. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const refusal = (code: string, message: RegExp | string) => (error: unknown) => {
  assert.ok(error instanceof TsboxError, messageOf(error));
  assert.equal(error.code, code);
  if (typeof message === "string") assert.equal(error.message, message);
  else assert.match(error.message, message);
  return true;
};

test("run --rm: what was attached before the start gets all output, the wait the exit code, and nothing is left", async () => {
  const bed = await engineInMemory();
  const { containers } = bed.engine;
  const { id } = await containers.create(request(["echo", "hi"], { host: { autoRemove: true } }));
  const attachment = await containers.attach(id, { stdin: false, output: true, logs: false });
  const { exit } = await containers.wait(id, "removed");
  await containers.start(id);
  assert.equal(await outputOf(attachment), "hi\n");
  assert.deepEqual(await exit, { code: 0, error: null });
  assert.deepEqual(await containers.list(), []);
  assert.deepEqual(leftovers(bed), nothing);
  assert.deepEqual(bed.warnings, []);
});

test("standard input given before the start reaches the program", async () => {
  const { engine } = await engineInMemory();
  const { id } = await engine.containers.create(request(["cat"], { config: { openStdin: true, stdinOnce: true } }));
  const attachment = await engine.containers.attach(id, { stdin: true, output: true, logs: false });
  const output = outputOf(attachment);
  const given = attachment.write(encodeText("abc\n")).then(() => attachment.closeInput());
  await engine.containers.start(id);
  await given;
  assert.equal(await output, "abc\n");
});

test("a program that is not there: exit code 127 for the caller, the waiters and inspect, in the words scripts look for", async () => {
  const bed = await engineInMemory();
  const { containers } = bed.engine;
  const { id } = await containers.create(request(["nosuch"], { name: "web" }));
  const next = await containers.wait(id, "next-exit");
  await assert.rejects(containers.start(id), (error) => {
    refusal("cannot-start", 'cannot start container web: exec: "nosuch": executable file not found in $PATH')(error);
    assert.equal((error as TsboxError).data["exitCode"], 127);
    return true;
  });
  assert.equal((await next.exit).code, 127);
  const { state, exitCode, undo, pid } = await containers.get("web");
  assert.deepEqual({ state, exitCode, undo, pid }, { state: "created", exitCode: 127, undo: null, pid: 0 });
  assert.deepEqual({ ...leftovers(bed), files: [], layers: [] }, nothing);
  await containers.remove("web", { force: false, volumes: false });
  assert.deepEqual(leftovers(bed), nothing);
});

test("run --rm of a program that is not there: the wait for the removal gets 127, and nothing is left", async () => {
  const bed = await engineInMemory();
  const { containers } = bed.engine;
  const { id } = await containers.create(request(["nosuch"], { host: { autoRemove: true } }));
  const attachment = await containers.attach(id, { stdin: false, output: true, logs: false });
  const { exit } = await containers.wait(id, "removed");
  await assert.rejects(containers.start(id), refusal("cannot-start", /not found/));
  assert.equal(await outputOf(attachment), "");
  assert.equal((await exit).code, 127);
  assert.deepEqual(leftovers(bed), nothing);
});

for (const op of ["cgroup.make", "overlay", "pivot", "user"] as const)
  test(`a start that fails at ${op} names the step, is undone, and can be tried again`, async () => {
    const bed = await engineInMemory();
    const { containers } = bed.engine;
    const { id } = await containers.create(request(["true"], { name: "web", config: { workingDir: "/" } }));
    bed.machine.failAt(op, "ENOSPC");
    await assert.rejects(
      containers.start(id),
      refusal("failed", new RegExp(`\\(${op.replace(".", "\\.")}\\).*no space left`)),
    );
    assert.deepEqual([...bed.machine.world.cgroups], []);
    await containers.start(id);
    const { exit } = await containers.wait(id, "not-running");
    assert.equal((await exit).code, 0);
  });

test("a crash of the engine at any point loses no container, doubles none, and leaves no rubbish", async () => {
  for (let changes = 0; ; changes++) {
    const bed = await engineInMemory();
    const { containers } = bed.engine;
    const before = bed.machine.changes;
    bed.machine.cutAfter(changes);
    const story = (async () => {
      const id = await up(bed.engine, ["server"], { name: "web" });
      await containers.stop(id, { timeoutSeconds: 10, signal: null });
      await containers.remove(id, { force: false, volumes: true });
      await up(bed.engine, ["true"], { name: "gone", host: { autoRemove: true } }).then(async (gone) => {
        await (await containers.wait(gone, "removed")).exit.catch(() => undefined);
      });
    })();
    story.catch(() => undefined);
    const finished = await Promise.race([story.then(() => true), bed.machine.cut.then(() => false)]);
    const next = await bed.reopen();
    await settle();
    const records = await next.engine.containers.list();
    for (const record of records) {
      const expected = next.machine.running.includes(record.id);
      assert.equal(record.state === "running", expected, `${record.name} is ${record.state} after ${changes} changes`);
    }
    assert.equal(new Set(records.map(({ name }) => name)).size, records.length);
    assert.deepEqual([...next.machine.world.prepared].sort(), records.map(({ id }) => id).sort());
    for (const { id } of records) await next.engine.containers.remove(id, { force: true, volumes: true });
    assert.deepEqual(leftovers(next), nothing, `after ${changes} changes`);
    assert.deepEqual(next.warnings, []);
    if (finished) return assert.ok(bed.machine.changes - before > 15);
  }
});

test("a container that ran while the engine was killed goes on, and its end is told", async () => {
  const bed = await engineInMemory();
  const id = await up(bed.engine, ["server"], { name: "web" });
  const next = await bed.reopen();
  const { state, pid } = await next.engine.containers.get("web");
  assert.deepEqual({ state, known: pid > 0 }, { state: "running", known: true });
  const { exit } = await next.engine.containers.wait(id, "not-running");
  next.machine.exit(id, 3);
  assert.equal((await exit).code, 3);
  assert.deepEqual([...next.machine.world.cgroups], []);
});

test("a container that ended while the engine was away has its exit code; --rm removes it", async () => {
  const bed = await engineInMemory();
  const kept = await up(bed.engine, ["server"]);
  const removed = await up(bed.engine, ["server"], { host: { autoRemove: true } });
  bed.machine.cutAfter(0);
  bed.machine.exit(kept, 5);
  bed.machine.exit(removed, 6);
  const next = await bed.reopen();
  const records = await next.engine.containers.list();
  assert.deepEqual(
    records.map(({ id, state, exitCode, undo }) => ({ id, state, exitCode, undo })),
    [{ id: kept, state: "exited", exitCode: 5, undo: null }],
  );
  assert.deepEqual([...next.machine.world.cgroups], []);
});

test("a container whose monitor is gone, or whose machine was rebooted, has exited with 255", async () => {
  const bed = await engineInMemory();
  const id = await up(bed.engine, ["server"]);
  bed.machine.cutAfter(0);
  bed.machine.lose(id);
  bed.machine.world.cgroups.clear();
  const next = await bed.reopen("boot 2");
  const { state, exitCode } = await next.engine.containers.get(id);
  assert.deepEqual({ state, exitCode }, { state: "exited", exitCode: 255 });
});

test("stop asks, waits for its time, then kills; a program that listens ends by its own", async () => {
  const { engine, ports } = await engineInMemory();
  const polite = await up(engine, ["server"]);
  await engine.containers.stop(polite, { timeoutSeconds: null, signal: null });
  assert.equal((await engine.containers.get(polite)).exitCode, 143);
  const stubborn = await up(engine, ["sleep"]);
  const stopped = engine.containers.stop(stubborn, { timeoutSeconds: 3, signal: null });
  while (ports.clock.sleeping === 0) await Promise.resolve();
  assert.equal((await engine.containers.get(stubborn)).state, "running");
  ports.clock.advance(3000);
  await stopped;
  assert.equal((await engine.containers.get(stubborn)).exitCode, 137);
  await assert.rejects(
    engine.containers.stop(stubborn, { timeoutSeconds: null, signal: null }),
    refusal("not-modified", /already exited/),
  );
});

test("what a state forbids is said in docker's words", async () => {
  const { engine } = await engineInMemory();
  const { containers } = engine;
  const { id } = await containers.create(request(["server"], { name: "web" }));
  await assert.rejects(
    containers.kill("web", "TERM"),
    refusal("conflict", `cannot kill container: web: container ${id} is not running`),
  );
  await assert.rejects(
    containers.create(request(["true"], { name: "/web" })),
    refusal(
      "conflict",
      `Conflict. The container name "/web" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`,
    ),
  );
  await assert.rejects(containers.get("nosuch"), refusal("not-found", "No such container: nosuch"));
  await assert.rejects(
    containers.create(request(["true"], { config: { image: "nosuch" } })),
    refusal("not-found", "No such image: nosuch:latest"),
  );
  await containers.start("web");
  await assert.rejects(containers.start(id), refusal("not-modified", /already running/));
  await assert.rejects(
    containers.remove(id.slice(0, 5), { force: false, volumes: false }),
    refusal(
      "conflict",
      'cannot remove container "/web": container is running: stop the container before removing or force remove',
    ),
  );
  await assert.rejects(containers.kill("web", "NOSUCH"), refusal("invalid", "invalid signal: NOSUCH"));
  await containers.remove("/web", { force: true, volumes: false });
  assert.deepEqual(await containers.list(), []);
});

test("create refuses what makes no sense before it makes anything", async () => {
  const bed = await engineInMemory();
  const { containers } = bed.engine;
  const { resources } = noHostConfig;
  const cases: [Parameters<typeof request>[1], RegExp][] = [
    [{ name: "a b" }, /^Invalid container name \(a b\), only/],
    [{ config: { workingDir: "x" } }, /the working directory 'x' is invalid/],
    [{ host: { resources: { ...resources, memoryBytes: 1000 } } }, /^Minimum memory limit allowed is 6MB$/],
    [
      { host: { resources: { ...resources, nanoCpus: 9e9 } } },
      /^Range of CPUs is from 0.01 to 4.00, as there are only 4 CPUs available$/,
    ],
    [{ host: { networkMode: "web" } }, /^network web not found$/],
    [{ host: { capAdd: ["NOSUCH"] } }, /NOSUCH/i],
    [{ host: { securityOpt: ["nosuch"] } }, /--security-opt/],
    [{ config: { stopSignal: "SIGNOSUCH" } }, /^invalid signal: SIGNOSUCH$/],
    [
      { host: { autoRemove: true, restartPolicy: { name: "always", maximumRetryCount: 0 } } },
      /^can't create 'AutoRemove'/,
    ],
  ];
  for (const [options, message] of cases)
    await assert.rejects(containers.create(request(["true"], options)), { message });
  await assert.rejects(
    containers.create(request([], { config: { image: "busybox", entrypoint: [""], cmd: null } })).then(() => 1),
    {
      message: "no command specified",
    },
  );
  assert.deepEqual(leftovers(bed), nothing);
});

test("a full disk while creating leaves nothing, not even the name", async () => {
  const bed = await engineInMemory();
  const { disk } = bed.machine;
  disk.writeAtomically = (path) => Promise.reject(new Errno("ENOSPC", path));
  const web = request(["true"], { name: "web", config: { volumes: ["/data" as never] } });
  await assert.rejects(bed.engine.containers.create(web), /no space left on device/);
  Reflect.deleteProperty(disk, "writeAtomically");
  assert.deepEqual(leftovers(bed), nothing);
  assert.deepEqual(await bed.engine.volumes.list(), []);
  await bed.engine.containers.create(web);
});

test("a restart policy restarts with a growing delay until the user stops it", async () => {
  const { engine, ports, machine } = await engineInMemory();
  const id = await up(engine, ["false"], { host: { restartPolicy: { name: "on-failure", maximumRetryCount: 2 } } });
  const states: string[] = [];
  for (const delay of [100, 200, 400]) {
    await settle();
    const { state, restartCount } = await engine.containers.get(id);
    states.push(`${state} ${restartCount}`);
    ports.clock.advance(delay - 1);
    await settle();
    assert.equal(machine.running.length, 0);
    ports.clock.advance(1);
  }
  assert.deepEqual(states, ["restarting 1", "restarting 2", "exited 2"]);
});

test("a container with a restart policy comes up with the next engine, unless the user stopped it", async () => {
  const bed = await engineInMemory();
  const policy = (name: "always" | "unless-stopped" | "no") => ({
    name,
    host: { restartPolicy: { name, maximumRetryCount: 0 } },
  });
  for (const name of ["always", "unless-stopped", "no"] as const) await up(bed.engine, ["server"], policy(name));
  await bed.engine.containers.stop("unless-stopped", { timeoutSeconds: null, signal: null });
  await bed.engine.containers.stop("always", { timeoutSeconds: null, signal: null });
  await bed.engine.containers.stop("no", { timeoutSeconds: null, signal: null });
  const next = await bed.reopen();
  await settle();
  const states = Object.fromEntries((await next.engine.containers.list()).map(({ name, state }) => [name, state]));
  assert.deepEqual(states, { always: "running", "unless-stopped": "exited", no: "exited" });
});

test("exec runs in a container that is up, and its code is known afterwards", async () => {
  const { engine } = await engineInMemory();
  const id = await up(engine, ["server"], { name: "web", config: { env: ["A=1"] } });
  const asked = {
    argv: ["env"],
    env: ["B=2"],
    user: "",
    workingDir: "",
    tty: false,
    privileged: false,
    attachStdin: false,
    attachStdout: true,
    attachStderr: true,
    consoleSize: [0, 0] as const,
  };
  const exec = await engine.execs.create("web", asked);
  const attachment = await engine.execs.start(exec, { detach: false, rows: 0, columns: 0 });
  assert.ok(attachment);
  assert.match(await outputOf(attachment), /^A=1$[^]*^B=2$/m);
  assert.equal((await engine.execs.get(exec)).exit?.code, 0);
  await assert.rejects(
    engine.execs.start(exec, { detach: false, rows: 0, columns: 0 }),
    refusal("conflict", /already run/),
  );
  const missing = await engine.execs.create("web", { ...asked, argv: ["nosuch"] });
  await assert.rejects(
    engine.execs.start(missing, { detach: true, rows: 0, columns: 0 }),
    refusal("cannot-start", /executable file not found in \$PATH/),
  );
  assert.equal((await engine.execs.get(missing)).failedCode, 127);
  await engine.containers.stop(id, { timeoutSeconds: null, signal: null });
  await assert.rejects(engine.execs.create("web", asked), refusal("conflict", `container ${id} is not running`));
});

test("logs: the tail, one stream, and following to the end without loss", async () => {
  const { engine, machine } = await engineInMemory();
  let say: (text: string, stream?: "stdout" | "stderr") => void = () => {};
  machine.install("talk", {
    run: ({ print, forever }) => {
      say = print;
      print("one\ntwo\n");
      print("three\n", "stderr");
      return forever;
    },
  });
  const id = await up(engine, ["talk"]);
  const all: LogOptions = { stdout: true, stderr: true, follow: false, since: null, until: null, tail: null };
  const read = async (options: Partial<LogOptions>): Promise<string> => {
    let text = "";
    for await (const { bytes } of await engine.containers.logs(id, { ...all, ...options }))
      text += new TextDecoder().decode(bytes);
    return text;
  };
  assert.equal(await read({}), "one\ntwo\nthree\n");
  assert.equal(await read({ tail: 2 }), "two\nthree\n");
  assert.equal(await read({ tail: 0 }), "");
  assert.equal(await read({ stdout: false }), "three\n");
  const followed = read({ follow: true, tail: 1 });
  await new Promise((resolve) => setImmediate(resolve));
  say("four\n");
  say("five");
  machine.exit(id, 0);
  assert.equal(await followed, "three\nfour\nfive");
  assert.equal(await read({ follow: true }), "one\ntwo\nthree\nfour\nfive");
});

test("events tell a life in order, past ones and live ones", async () => {
  const { engine } = await engineInMemory();
  const live = engine.events({ since: null, until: null, accepts: () => true });
  const id = await up(engine, ["true"], { name: "web", host: { autoRemove: true } });
  const seen: string[] = [];
  for await (const { action, id: about } of live) {
    if (about === id) seen.push(action);
    if (action === "destroy") break;
  }
  assert.deepEqual(seen, ["create", "start", "die", "destroy"]);
  const past = engine.events({ since: 0n, until: 1n, accepts: () => true });
  for await (const event of past) assert.fail(`${event.action} is later than the bound`);
});

test("volumes: a name is made once and kept, an anonymous one goes with its container", async () => {
  const { engine } = await engineInMemory();
  const mount = {
    kind: "volume" as const,
    source: "data",
    target: "/data" as never,
    readonly: false,
    propagation: "",
    createSource: false,
    options: "",
  };
  const host = { mounts: [mount, { ...mount, source: "", target: "/cache/../tmp/" as never }] };
  const { id } = await engine.containers.create(request(["true"], { host }));
  const { mounts } = await engine.containers.get(id);
  assert.deepEqual(
    mounts.map(({ name, target }) => [name.length, target]),
    [
      [4, "/data"],
      [64, "/tmp"],
    ],
  );
  await assert.rejects(
    engine.volumes.remove("data", { force: false }),
    refusal("conflict", `remove data: volume is in use - [${id}]`),
  );
  await engine.containers.remove(id, { force: false, volumes: true });
  assert.deepEqual(
    (await engine.volumes.list()).map(({ name }) => name),
    ["data"],
  );
  await engine.volumes.remove("data", { force: false });
  await assert.rejects(engine.volumes.get("data"), refusal("not-found", "get data: no such volume"));
  const twice = { mounts: [mount, { ...mount, source: "other" }] };
  await assert.rejects(engine.containers.create(request(["true"], { host: twice })), {
    message: "Duplicate mount point: /data",
  });
  const relative = { mounts: [{ ...mount, source: "a/b" }] };
  await assert.rejects(
    engine.containers.create(request(["true"], { host: relative })),
    /includes invalid characters for a local volume name/,
  );
});

test("a container whose record is torn is left where it lies and told of; the others are there", async () => {
  const bed = await engineInMemory();
  const [torn, kept] = [await up(bed.engine, ["true"]), await up(bed.engine, ["server"])];
  const path = `${bed.machine.disk.dataRoot}/containers/${torn}/record.json`;
  await settle();
  await bed.machine.disk.writeAtomically(path as HostPath, encodeText("{"));
  const next = await bed.reopen();
  assert.deepEqual(
    (await next.engine.containers.list()).map(({ id }) => id),
    [kept],
  );
  assert.match(next.warnings.join(), /record\.json: not a container's record/);
  assert.ok(next.machine.world.prepared.has(torn));
});
