/**
 * What `run --explain` says is what happens: a container is started under strace(1), and the system
 * calls that its explanation names occur in the trace, in that order, with those arguments that can
 * be compared. The monitor's calls and the child's are two processes and are followed apart.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { after, test } from "node:test";
import { Helper, finish, makeWorkshop, missing, removeWorkshop } from "../../backends/linux/native/harness.ts";
import type { PerformRequest } from "../../backends/linux/wire/request.ts";
import { compileFilter } from "../../backends/linux/seccomp/filter.ts";
import { probeTraits } from "../../backends/linux/traits.ts";
import type { ContainerId, ContainerPath, HostPath } from "../../core/base/brand.ts";
import type { Stdio } from "../../core/engine/machine.ts";
import { checkPlan } from "../../core/runtime/check.ts";
import { compileExec } from "../../core/runtime/compile-exec.ts";
import { compile } from "../../core/runtime/compile.ts";
import { explainPlan, type PlanStep } from "../../core/runtime/explain.ts";
import type { Mount } from "../../core/runtime/mount.ts";
import type { Plan } from "../../core/runtime/plan.ts";
import { type SpecInput, specFor } from "../../core/runtime/spec-for.ts";
import { plainInput } from "../../core/runtime/plain-input.ts";
import { unlimited } from "../../core/runtime/resources.ts";
import { undo } from "../../core/runtime/undo.ts";

const reason =
  missing() ?? (spawnSync("strace", ["--version"]).status === 0 ? null : "needs strace (Debian package strace)");
const skip = reason ?? false;
const workshop = reason === null ? makeWorkshop() : "";
const cgroupParent = basename(workshop);
const traits = probeTraits({ dataRoot: "/dev/shm", cgroupParent });
after(() => {
  if (workshop === "") return;
  for (const { mount } of traits.cgroups)
    if (existsSync(join(mount, cgroupParent))) rmdirSync(join(mount, cgroupParent));
  removeWorkshop(workshop);
});

interface Traced {
  readonly plan: Plan;
  readonly stdout: string;
  /** The trace, by process id, in order. */
  readonly calls: ReadonlyMap<string, readonly string[]>;
}

function planOf(name: string, change: Partial<SpecInput>, mounts: readonly Mount[] = []): Plan {
  const directory = join(workshop, name);
  for (const part of ["upper", "work", "merged"]) mkdirSync(join(directory, part), { recursive: true });
  const path = (part: string): HostPath => join(directory, part) as HostPath;
  const plan = compile({
    spec: specFor({ ...plainInput, argv: ["/bin/echo", "traced"], ...change }),
    mounts,
    root: {
      lowers: [join(workshop, "layer") as HostPath],
      upper: path("upper"),
      work: path("work"),
      target: path("merged"),
    },
    container: containerOf(name),
    traits,
  });
  checkPlan(plan);
  return plan;
}

function containerOf(name: string): ContainerId {
  return `explain-${process.pid}-${name}` as ContainerId;
}

function requestFor(name: string, plan: Plan, terminal: boolean): PerformRequest {
  const path = (part: string): HostPath => join(workshop, name, part) as HostPath;
  const stdio: Stdio = { terminal, stdin: false, stdinOnce: false, log: path("log"), exit: path("exit") };
  const resolve = (): never => assert.fail("this plan joins nothing");
  return {
    kind: "perform",
    plan,
    stdio,
    socket: path("s"),
    resolve,
    seccomp: (profile) => compileFilter(profile, "amd64"),
  };
}

async function trace(name: string, change: Partial<SpecInput>, mounts: readonly Mount[] = []): Promise<Traced> {
  const plan = planOf(name, change, mounts);
  const request = requestFor(name, plan, change.terminal !== undefined && change.terminal !== null);
  return traced(name, plan, plan, (helper) => perform(helper, request));
}

/** An exec session in a container that waits at its gate: its namespaces are there, and that is all a session needs. */
async function traceExec(name: string): Promise<Traced> {
  const init = planOf(name, {});
  mkdirSync(join(workshop, `${name}-session`));
  const user = { uid: 1000, gid: 1000, additionalGids: [], home: "/" };
  const argv = ["/bin/echo", "traced"] as const;
  const settings = { env: [], cwd: "/tmp", user, terminal: null, privileged: false, traits };
  const plan = compileExec({ argv, ...settings, container: containerOf(name), plan: init });
  checkPlan(plan);
  return traced(name, plan, init, async (helper) => {
    const gate = await helper.ask(requestFor(name, init, false));
    assert(gate.kind === "gate");
    return perform(helper, { ...requestFor(`${name}-session`, plan, false), resolve: () => gate });
  });
}

async function perform(helper: Helper, { plan, stdio, socket, ...request }: PerformRequest): Promise<string> {
  const gate = await helper.ask({ ...request, plan, stdio, socket });
  const { stdout } = await finish({ directory: dirname(socket), plan, gate, stdio, socket });
  return stdout;
}

/** What `run` prints under a helper that is traced; afterwards `undone` is undone. */
async function traced(
  name: string,
  plan: Plan,
  undone: Plan,
  run: (helper: Helper) => Promise<string>,
): Promise<Traced> {
  const directory = join(workshop, name);
  const helper = new Helper(underStrace(directory));
  try {
    const stdout = await run(helper);
    await helper.ask({ kind: "carry-out", plan: undo(undone) });
    await helper.close();
    return { plan, stdout, calls: callsByProcess(readFileSync(join(directory, "trace"), "utf8")) };
  } finally {
    helper.process.kill();
  }
}

/** A helper that traces itself and what it forks. */
function underStrace(directory: string): string {
  const script = join(directory, "helper");
  const command = `exec strace -f -qq -s 256 -e signal=none -o ${join(directory, "trace")} ${join(workshop, "helper")} "$@"`;
  writeFileSync(script, `#!/bin/sh\n${command}\n`);
  chmodSync(script, 0o755);
  return script;
}

/** Lines are "PID call(…) = result"; one cut in two by another process is put together. */
function callsByProcess(text: string): Map<string, string[]> {
  const calls = new Map<string, string[]>();
  const unfinished = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, pid, rest] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    if (pid === undefined || rest === undefined) continue;
    if (rest.endsWith("<unfinished ...>")) {
      unfinished.set(pid, rest.slice(0, -"<unfinished ...>".length));
      continue;
    }
    const whole = rest.replace(/^<\.\.\. \w+ resumed>/, () => unfinished.get(pid) ?? "");
    calls.set(pid, [...(calls.get(pid) ?? []), whole]);
  }
  return calls;
}

/** Calls whose name depends on the C library or the architecture. */
const names: Readonly<Record<string, RegExp>> = {
  open: /^open(at)?\(/,
  mkdir: /^mkdir(at)?\(/,
  rmdir: /^(rmdir|unlinkat)\(/,
  dup2: /^dup[23]\(/,
};

type Explained = Pick<PlanStep, "step" | "op" | "syscalls">;

/** The first explained call that does not follow in the trace, null when all do. */
function firstMissing(steps: readonly Explained[], calls: readonly string[]): string | null {
  let at = 0;
  for (const { step, op, syscalls } of steps) {
    for (const { name, text, when } of syscalls) {
      if (when !== undefined) continue;
      const pattern = names[name] ?? new RegExp(`^${name}\\(`);
      const found = calls.findIndex((call, index) => index >= at && pattern.test(call) && mentions(call, op, text));
      if (found < 0) return `${step} ${op}: ${text} after ${calls[at - 1] ?? "the start"}`;
      at = found + 1;
    }
  }
  return null;
}

/** Flags named in the explanation stand in the trace too; so do the paths of ops that pass them on as they are. */
function mentions(call: string, op: string, text: string): boolean {
  const flags =
    text.match(/\b(MS|MOUNT_ATTR|CLONE|RESOLVE|OPEN_TREE|FSCONFIG|SECCOMP|PR|TIOC|RLIMIT)_?[A-Z_]+\b/g) ?? [];
  const known = flags.filter((flag) => flag !== "SECCOMP_SET_MODE_FILTER" || !call.includes("0x1"));
  const paths = ["cgroup.make", "cgroup.set", "cgroup.join", "directory.enter", "exec"].includes(op)
    ? (/"(\/[^"]*)"/.exec(text)?.slice(1) ?? [])
    : [];
  return [...known, ...paths].every((word) => call.includes(word));
}

/** What the monitor does for the child comes before the spawn, which is the last of the host's steps. */
function assertTraced({ plan, calls }: Traced): void {
  const steps = explainPlan(plan);
  const only = (by: "monitor" | undefined) => (step: PlanStep) => ({
    ...step,
    syscalls: step.syscalls.filter((call) => call.by === by),
  });
  const host = steps.filter(({ step }) => !step.includes("."));
  const child = steps.filter(({ step }) => step.includes("."));
  const found = [...calls.values()];
  const program = found.find((some) => some.some((call) => call.startsWith("execve(") && call.includes('"traced"')));
  const [pid] = [...calls].find(([, some]) => some === program) ?? [""];
  const monitor = found.find((some) => some.some((call) => call.startsWith("clone3(") && call.endsWith(` = ${pid}`)));
  assert.ok(monitor !== undefined && program !== undefined, "the trace holds a monitor and its child");
  for (const { op, syscalls } of host)
    for (const { name, text } of syscalls.filter(({ when }) => when === "beforehand"))
      assert.ok(
        monitor.some((call) => call.startsWith(`${name}(`) && mentions(call, op, text)),
        `${text}, whenever`,
      );
  assert.equal(firstMissing([...host.slice(0, -1), ...child.map(only("monitor")), ...host.slice(-1)], monitor), null);
  assert.equal(firstMissing(child.map(only(undefined)), program), null);
}

const workshopAtData: Mount = {
  kind: "bind",
  source: workshop as HostPath,
  target: "/data" as ContainerPath,
  readonly: true,
  recursive: true,
  propagation: "",
  isFile: false,
  options: "",
};

test("the system calls explained for a plain container are those performed, in order", { skip }, async () => {
  const traced = await trace("plain", {});
  assert.equal(traced.stdout, "traced\n");
  assertTraced(traced);
});

test("so are those of a container with limits, volumes, a user and no new privileges", { skip }, async () => {
  const resources = { ...unlimited, memoryBytes: 64 << 20, nanoCpus: 5e8, pidsLimit: 20 };
  const user = { uid: 1000, gid: 1000, additionalGids: [27], home: "" };
  const ulimits = [{ name: "nofile", soft: 64, hard: 64 }];
  const change = {
    resources,
    user,
    ulimits,
    noNewPrivileges: true,
    readonlyRootfs: true,
    cwd: "/data",
    domainname: "d",
  };
  const traced = await trace("limited", change, [workshopAtData]);
  assert.equal(traced.stdout, "traced\n");
  assertTraced(traced);
});

test("so are those of a container with a terminal", { skip }, async () => {
  const traced = await trace("terminal", { terminal: { rows: 24, columns: 80 } });
  assert.equal(traced.stdout, "traced\r\n");
  assertTraced(traced);
});

test("so are those of a container in a user namespace, where the monitor does what takes the host's root", {
  skip: skip || (traits.idmappedMounts ? false : "needs id-mapped mounts of tmpfs (Linux 6.3)"),
}, async () => {
  const range = [{ inside: 0, outside: 100_000, count: 65_536 }];
  const traced = await trace("user", { userMaps: { uids: range, gids: range } }, [workshopAtData]);
  assert.equal(traced.stdout, "traced\n");
  assertTraced(traced);
});

test("so are those of an exec session", { skip }, async () => {
  const traced = await traceExec("exec");
  assert.equal(traced.stdout, "traced\n");
  assertTraced(traced);
});
