/** From a container's record to the plan of its start: who it runs as, what is mounted, the spec, the plan. */
import type { ContainerId, ContainerPath, HostPath } from "../base/brand.ts";
import { decodeBytes } from "../base/bytes.ts";
import { TsboxError } from "../base/error.ts";
import type { DeviceRequest, HostConfig } from "../container/config.ts";
import { commandOf } from "../container/merge.ts";
import type { ContainerRecord } from "../container/record.ts";
import { parseSecurity } from "../container/security.ts";
import { isUp } from "../container/state.ts";
import { type AccountFiles, resolveUser } from "../container/user.ts";
import type { DiffId } from "../image/digest.ts";
import { isWasi, parsePlatform } from "../image/platform.ts";
import { checkPlan } from "../runtime/check.ts";
import { compile } from "../runtime/compile.ts";
import type { Mount } from "../runtime/mount.ts";
import type { IdMaps, Plan } from "../runtime/plan.ts";
import {
  type DeviceInput,
  type NamespaceMode,
  type ProcessUser,
  type SpecInput,
  specFor,
} from "../runtime/spec-for.ts";
import type { HostTraits } from "../runtime/traits.ts";
import { undo } from "../runtime/undo.ts";
import type { Context } from "./context.ts";
import { initLayer } from "./init-layer.ts";
import { resolveMounts } from "./mounts.ts";

export interface StartPlan {
  readonly plan: Plan;
  readonly undo: Plan;
}

export async function planFor(context: Context, record: ContainerRecord): Promise<StartPlan> {
  const { layers, traits } = context.machine;
  const [user, mounts, devices] = await Promise.all([
    userOf(context, record, record.config.user, record.hostConfig.groupAdd),
    resolveMounts(context, record),
    Promise.all(record.hostConfig.devices.map((device) => resolveDevice(context, device))),
  ]);
  const spec = specFor(specInput(context, record, user, devices));
  const root = layers.overlay(record.id, lowersOf(record));
  const init = initOf(record.hostConfig, traits);
  const plan = compile({
    spec,
    mounts: init === null ? mounts : [...mounts, initMount(init)],
    root,
    container: record.id,
    traits,
  });
  checkPlan(plan);
  return { plan, undo: undo(plan) };
}

const initPath = "/sbin/docker-init";

/** What becomes the first process instead of the program; null: the program itself. Another's pid namespace has one already. */
function initOf({ init, pidMode }: HostConfig, traits: HostTraits): HostPath | null {
  return init && (pidMode === "" || pidMode === "private") ? (traits.init ?? null) : null;
}

function initMount(source: HostPath): Mount {
  const target = initPath as ContainerPath;
  return { kind: "bind", source, target, readonly: true, recursive: false, propagation: "", isFile: true, options: "" };
}

/** The layers beneath a container's own, bottom first. */
export function lowersOf(record: Pick<ContainerRecord, "layers">): DiffId[] {
  return [initLayer, ...record.layers];
}

const largestAccountFile = 4 * 1024 * 1024;

/** Looks a user up in the container's own files. */
export async function userOf(
  context: Context,
  record: ContainerRecord,
  user: string,
  groupAdd: readonly string[],
): Promise<ProcessUser> {
  const [passwd, group] = await Promise.all([
    readText(context, record, "/etc/passwd"),
    readText(context, record, "/etc/group"),
  ]);
  const files: AccountFiles = { passwd, group };
  return resolveUser(user, files, groupAdd);
}

async function readText(context: Context, record: ContainerRecord, path: string): Promise<string> {
  const lowers = lowersOf(record);
  const bytes = await context.machine.layers.readFile(record.id, lowers, path, largestAccountFile);
  return bytes === null ? "" : decodeBytes(bytes);
}

function specInput(
  context: Context,
  record: ContainerRecord,
  user: ProcessUser,
  devices: readonly DeviceInput[],
): SpecInput {
  const { config, hostConfig } = record;
  const security = parseSecurity(hostConfig.securityOpt);
  const bare = security.systemPaths === "unconfined" ? [] : null;
  const [rows, columns] = hostConfig.consoleSize;
  return {
    argv:
      initOf(hostConfig, context.machine.traits) === null ? commandOf(config) : [initPath, "--", ...commandOf(config)],
    env: config.env,
    cwd: config.workingDir,
    user,
    terminal: config.tty ? { rows, columns } : null,
    hostname: config.hostname,
    domainname: config.domainname,
    readonlyRootfs: hostConfig.readonlyRootfs,
    capabilities: { add: hostConfig.capAdd, drop: hostConfig.capDrop },
    privileged: hostConfig.privileged,
    noNewPrivileges: security.noNewPrivileges,
    seccomp: security.seccomp,
    architecture: context.machine.traits.architecture,
    maskedPaths: bare,
    readonlyPaths: bare,
    resources: hostConfig.resources,
    ulimits: hostConfig.ulimits,
    sysctls: hostConfig.sysctls,
    shmSizeBytes: hostConfig.shmSizeBytes,
    oomScoreAdj: hostConfig.oomScoreAdj,
    devices,
    namespaces: {
      pid: namespaceMode(context, "PID", hostConfig.pidMode),
      ipc: namespaceMode(context, "IPC", hostConfig.ipcMode),
      uts: namespaceMode(context, "UTS", hostConfig.utsMode),
      network: "private",
      cgroup: namespaceMode(context, "cgroup", hostConfig.cgroupnsMode),
    },
    userMaps: userMaps(context, hostConfig),
    cgroupParent: hostConfig.cgroupParent,
    wasm: isWasi(parsePlatform(record.platform ?? "") ?? anyLinux),
  };
}

const anyLinux = { os: "linux", architecture: "" };

/** "", "private", "shareable", "host", "container:<ref>". */
function namespaceMode(context: Context, what: string, mode: string): NamespaceMode {
  if (mode === "host") return "host";
  if (!mode.startsWith("container:")) return "private";
  return { container: runningContainer(context, what, mode.slice("container:".length)) };
}

function runningContainer(context: Context, what: string, ref: string): ContainerId {
  const { id, state } = context.containers.resolve(ref).record;
  if (!isUp(state)) throw new TsboxError("conflict", `cannot join ${what} of a non running container: ${id}`);
  return id;
}

/** Without an entry in /etc/subuid root may still map any ids; these are the customary first ones. */
const customaryRange = { start: 100_000, count: 65_536 };

function userMaps(context: Context, { usernsMode, privileged }: HostConfig): IdMaps | null {
  if (usernsMode !== "private") return null;
  const { userNamespaces, subordinate } = context.machine.traits;
  if (!userNamespaces)
    throw new TsboxError("unsupported", "this machine does not allow user namespaces: drop --userns");
  if (privileged)
    throw new TsboxError("invalid", "privileged mode is incompatible with user namespaces: drop one of the two");
  const { uids, gids } = subordinate ?? { uids: customaryRange, gids: customaryRange };
  return {
    uids: [{ inside: 0, outside: uids.start, count: uids.count }],
    gids: [{ inside: 0, outside: gids.start, count: gids.count }],
  };
}

async function resolveDevice(context: Context, { host, container, permissions }: DeviceRequest): Promise<DeviceInput> {
  const stat = await context.machine.disk.stat(host);
  const device = stat?.device;
  if (stat === null || device === undefined)
    throw new TsboxError(
      "invalid",
      `error gathering device information while adding custom device "${host}": ` +
        (stat === null ? "no such file or directory" : "not a device node"),
    );
  return { source: host, path: container, ...device, fileMode: stat.mode & 0o777, permissions };
}
