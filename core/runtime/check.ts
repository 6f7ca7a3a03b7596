/**
 * checkPlan: the rules of the vocabulary, held against every plan before it is performed. An op's
 * own rules are in the table of ops; here is what holds between ops: who comes before whom, and why.
 *
 * Most of the order is one sequence of phases through which a child only moves forward. It is
 * written down as a table; what a phase list cannot say stands beneath it as rules.
 */
import type { HostPath } from "../base/brand.ts";
import { TsboxError } from "../base/error.ts";
import { checkOp } from "./ops.ts";
import type { ChildOp, HostOp, Op, Plan, Spawn } from "./plan.ts";

/** Throws TsboxError "invalid" naming the first step that breaks a rule, and the rule. */
export function checkPlan(plan: Plan): void {
  const suspect = JSON.stringify(plan).includes("\\u0000");
  plan.steps.forEach((step, index) => {
    const nul = suspect && step.op !== "spawn" ? nulByte(step) : null;
    refuse(String(index), step, nul ?? checkOp(step) ?? checkPlace(step, index, plan.steps));
    if (step.op === "spawn") checkSpawn(step, index, suspect);
  });
}

function refuse(step: string, op: Op, problem: string | null): void {
  if (problem !== null)
    throw new TsboxError("invalid", `plan step ${step} (${op.op}): ${problem}`, { step, op: op.op });
}

function checkPlace(step: HostOp, index: number, steps: readonly HostOp[]): string | null {
  if (step.op === "spawn" && index !== steps.length - 1) return "spawn is the last step";
  if (step.op !== "cgroup.set" || step.cgroup.path === "" || index === 0) return null;
  const { mount, path } = step.cgroup;
  const made = steps
    .slice(0, index)
    .some((other) => other.op === "cgroup.make" && other.cgroup.mount === mount && other.cgroup.path === path);
  const makesAny = steps.some((other) => other.op === "cgroup.make");
  return made || !makesAny ? null : "a cgroup is made before it is set";
}

function checkSpawn(spawn: Spawn, index: number, suspect: boolean): void {
  const seen: Seen = { phase: 0, kinds: new Set(), root: null };
  spawn.child.forEach((op, at) => {
    const problem =
      checkOp(op) ?? (suspect ? nulByte(op) : null) ?? checkPhase(op, seen) ?? checkRules(op, seen, spawn);
    refuse(`${index}.${at}`, op, problem);
    remember(op, seen);
  });
  refuse(String(index), spawn, checkWhole(spawn, seen));
}

/** What the child has done so far. */
interface Seen {
  /** How far it came in `order`. */
  phase: number;
  readonly kinds: Set<ChildOp["op"]>;
  /** The overlay's target. */
  root: HostPath | null;
}

function remember(op: ChildOp, seen: Seen): void {
  seen.kinds.add(op.op);
  if (op.op === "overlay") seen.root = op.target;
  const phase = phaseOf[op.op];
  if (phase !== null) seen.phase = order.indexOf(phase);
}

function checkRules(op: ChildOp, seen: Seen, spawn: Spawn): string | null {
  for (const rule of rules) {
    const problem = rule(op, seen, spawn);
    if (problem !== null) return problem;
  }
  return null;
}

/** No system call takes a NUL inside a string. */
function nulByte(op: Op): string | null {
  return JSON.stringify(op, (_, value: unknown) => {
    if (typeof value === "string" && value.includes("\0")) return { nul: true };
    return value;
  }).includes('{"nul":true}')
    ? "a text contains a NUL byte"
    : null;
}

/**
 * The phases in order. Cgroups are joined before the cgroup namespace makes "here" its root; the
 * mounts are cut off from the host before the first is made; files are made in a root that is
 * there and not yet entered; settings are written before /proc/sys is read-only; mounts and names
 * need rights that are then given up; nothing happens between the gate and the program.
 */
const order = [
  "join",
  "enter",
  "unshare",
  "propagate",
  "root",
  "fill",
  "pivot",
  "adjust",
  "hide",
  "limit",
  "drop",
  "gate",
  "exec",
] as const;
type Phase = (typeof order)[number];

/** null: wherever it is needed. */
const phaseOf: Readonly<Record<ChildOp["op"], Phase | null>> = {
  "cgroup.join": "join",
  "oom.score": null,
  enter: "enter",
  unshare: "unshare",
  propagation: "propagate",
  overlay: "root",
  mount: "fill",
  bind: "fill",
  directory: "fill",
  file: "fill",
  device: "fill",
  symlink: "fill",
  pivot: "pivot",
  hostname: "adjust",
  domainname: "adjust",
  sysctl: "adjust",
  "link.up": "adjust",
  session: "adjust",
  terminal: "adjust",
  mask: "hide",
  readonly: "hide",
  rlimit: "limit",
  "descriptors.close": "drop",
  "directory.enter": "drop",
  umask: null,
  user: "drop",
  capabilities: "drop",
  "no.new.privileges": "drop",
  seccomp: "drop",
  gate: "gate",
  exec: "exec",
};

function checkPhase(op: ChildOp, seen: Seen): string | null {
  const phase = phaseOf[op.op];
  if (phase === null || order.indexOf(phase) >= seen.phase) return null;
  return `it belongs to "${phase}" and comes after "${order[seen.phase] ?? ""}"`;
}

type Rule = (op: ChildOp, seen: Seen, spawn: Spawn) => string | null;

const once = new Set<ChildOp["op"]>([
  "unshare",
  "overlay",
  "pivot",
  "session",
  "terminal",
  "descriptors.close",
  "directory.enter",
  "user",
  "capabilities",
  "no.new.privileges",
  "seccomp",
  "gate",
  "exec",
]);

const rules: readonly Rule[] = [
  ({ op }, { kinds }) => (once.has(op) && kinds.has(op) ? "it comes at most once" : null),
  ({ op }, { kinds }) => (op === "terminal" && !kinds.has("session") ? "a terminal needs a session first" : null),
  ({ op }, { root }) => (phaseOf[op] === "fill" && root === null ? "there is no root yet to put it in" : null),
  ({ op }, { kinds }) => (op === "overlay" && !kinds.has("propagation") ? "mounts would reach the host" : null),
  (op, { root }) => (op.op === "pivot" && root !== op.root ? "the root is the overlay's target" : null),
  ({ op }, { kinds }) =>
    op === "capabilities" && !kinds.has("user") ? "the user changes before capabilities go" : null,
  ({ op }, { kinds }) =>
    op === "seccomp" && kinds.has("user") && !kinds.has("no.new.privileges")
      ? "loading a filter takes CAP_SYS_ADMIN or no_new_privs: it comes before user, or after no.new.privileges"
      : null,
  ({ op }, { kinds }) =>
    phaseOf[op] === "drop" && kinds.has("capabilities") && op !== "no.new.privileges" && op !== "seccomp"
      ? "the rights for it are gone"
      : null,
  (op, _, { idMaps }) =>
    op.op === "overlay" && JSON.stringify(op.idMaps) !== JSON.stringify(idMaps)
      ? "the layers are shown in the ids of the container's user namespace"
      : null,
  ({ op }, _, { create }) =>
    op === "device" && create.includes("user") ? "a user namespace may not make devices: bind them" : null,
];

/** What must be there in any case: without these a host's file, root or right would be left in reach. */
function checkWhole({ create, child }: Spawn, { kinds }: Seen): string | null {
  const needed = ["descriptors.close", "user", "capabilities", "gate", "exec"] as const;
  const missing = needed.find((kind) => !kinds.has(kind));
  if (missing !== undefined) return `the child never does ${missing}`;
  if (child.at(-1)?.op !== "exec" || child.at(-2)?.op !== "gate") return "the child ends in gate, then exec";
  if (create.includes("mount") !== kinds.has("pivot")) return "a new mount namespace and a pivot come together";
  const enters = child.some((op) => op.op === "enter" && op.join.namespaces.includes("mount"));
  return enters === kinds.has("pivot") ? "the child either makes its root or enters a container's" : null;
}
