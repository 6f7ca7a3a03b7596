/**
 * An exec session: one more process in a container that runs. Everything about the container is in
 * its plan: the cgroups its child joined, the namespaces it has, the rights it was left with.
 */
import { assert } from "../base/assert.ts";
import type { ContainerId } from "../base/brand.ts";
import { type Capability, capabilityNumbers } from "./capabilities.ts";
import { finishOps } from "./compile.ts";
import type { ChildOp, Namespace, Plan, Spawn } from "./plan.ts";
import { capabilitiesFor, environmentFor, type ProcessUser, type TerminalSize, workingDirectory } from "./spec-for.ts";
import type { SpecRlimit } from "./spec.ts";
import type { HostTraits } from "./traits.ts";
import { isByRunner, runnerOf } from "./wasi-runner.ts";

export interface CompileExecInput {
  readonly argv: readonly [string, ...string[]];
  /** The container's configured variables and the session's, merged; PATH, HOSTNAME, TERM and HOME are added. */
  readonly env: readonly string[];
  /** Absolute; "" is "/". It must exist. */
  readonly cwd: string;
  readonly user: ProcessUser;
  readonly terminal: TerminalSize | null;
  /** Every capability instead of the container's. */
  readonly privileged: boolean;
  readonly container: ContainerId;
  /** The plan that started the container. */
  readonly plan: Plan;
  readonly traits: HostTraits;
}

/** The plan of an exec session: one spawn. Throws TsboxError "invalid" for a cwd that is not absolute. */
export function compileExec(input: CompileExecInput): Plan {
  const init = spawnOf(input.plan);
  const shared = namespacesOf(init);
  const pid = shared.includes("pid");
  return {
    steps: [
      {
        op: "spawn",
        create: [],
        join: pid ? { container: input.container, namespaces: ["pid"] } : null,
        idMaps: null,
        child: childOps(input, init, shared),
      },
    ],
  };
}

function spawnOf(plan: Plan): Spawn {
  const spawn = plan.steps.at(-1);
  assert(spawn?.op === "spawn", "the plan that started a container ends in a spawn");
  return spawn;
}

/** The namespaces in which the container's first process lives and the host does not. */
function namespacesOf({ create, join, child }: Spawn): Namespace[] {
  const later = child.flatMap((op) => {
    if (op.op === "enter") return op.join.namespaces;
    return op.op === "unshare" ? op.namespaces : [];
  });
  return [...new Set([...create, ...(join?.namespaces ?? []), ...later])];
}

function childOps(input: CompileExecInput, init: Spawn, shared: readonly Namespace[]): ChildOp[] {
  const namespaces = shared.filter((namespace) => namespace !== "pid");
  return [
    ...init.child.filter((op) => op.op === "cgroup.join" || op.op === "oom.score"),
    { op: "enter", join: { container: input.container, namespaces } },
    { op: "session" },
    ...(input.terminal === null ? [] : [{ op: "terminal", ...input.terminal, console: false } satisfies ChildOp]),
    ...finishOps({
      process: processOf(input, init.child),
      seccomp: seccompOf(init.child),
      traits: input.traits,
      runner: isByRunner(init.child) ? runnerOf(input.traits) : null,
    }),
  ];
}

function seccompOf(child: readonly ChildOp[]): Parameters<typeof finishOps>[0]["seccomp"] {
  return child.find((op) => op.op === "seccomp")?.profile ?? null;
}

function processOf(input: CompileExecInput, child: readonly ChildOp[]): Parameters<typeof finishOps>[0]["process"] {
  const { uid, gid, additionalGids } = input.user;
  const known = child.find((op) => op.op === "exec")?.environment.find((variable) => variable.startsWith("HOSTNAME="));
  const bounding = child.find((op) => op.op === "capabilities")?.bounding ?? [];
  return {
    user: { uid, gid, additionalGids, umask: 0o022 },
    args: input.argv,
    env: environmentFor({ ...input, hostname: known?.slice("HOSTNAME=".length) ?? "" }),
    cwd: workingDirectory(input.cwd),
    capabilities: capabilitiesFor(uid, input.privileged ? everyCapability : bounding),
    rlimits: child.filter((op) => op.op === "rlimit").map(rlimit),
    noNewPrivileges: child.some((op) => op.op === "no.new.privileges"),
  };
}

const everyCapability = Object.keys(capabilityNumbers) as Capability[];

function rlimit({ resource, soft, hard }: Extract<ChildOp, { op: "rlimit" }>): SpecRlimit {
  return { type: `RLIMIT_${resource.toUpperCase()}`, soft, hard };
}
