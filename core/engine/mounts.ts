/**
 * The mounts a user asks for: checked when the container is created, made of something that exists
 * when it starts. Texts are docker's (moby: volume/mounts).
 */
import type { ContainerPath, HostPath } from "../base/brand.ts";
import { TsboxError } from "../base/error.ts";
import type { Config, HostConfig, MountRequest } from "../container/config.ts";
import type { ContainerRecord, MountPoint } from "../container/record.ts";
import { filesOf } from "../container/records.ts";
import type { Mount } from "../runtime/mount.ts";
import { checkVolumeName } from "../volume/volumes.ts";
import type { Context } from "./context.ts";
import { removeAnonymous } from "./volumes.ts";

/** All mounts of a container with cleaned targets; the config's volumes join unless something is mounted there. */
export function mountRequests(config: Pick<Config, "volumes">, host: Pick<HostConfig, "mounts">): MountRequest[] {
  const asked = host.mounts.map((mount) => ({ ...mount, target: cleanTarget(mount) }));
  const targets = new Set<string>();
  for (const { target } of asked) {
    if (targets.has(target)) throw new TsboxError("invalid", `Duplicate mount point: ${target}`);
    targets.add(target);
  }
  const anonymous = config.volumes
    .map((target) => anonymousVolume(target))
    .filter(({ target }) => !targets.has(target));
  const requests = [...asked, ...anonymous];
  for (const request of requests) checkSource(request);
  return requests;
}

function anonymousVolume(path: ContainerPath): MountRequest {
  const mount: MountRequest = {
    kind: "volume",
    source: "",
    target: path,
    readonly: false,
    propagation: "",
    createSource: false,
    options: "",
  };
  return { ...mount, target: cleanTarget(mount) };
}

function cleanTarget({ kind, target }: MountRequest): ContainerPath {
  if (!target.startsWith("/"))
    throw new TsboxError("invalid", `invalid mount path: '${target}' mount path must be absolute`);
  const clean = cleanPath(target);
  if (clean === "/")
    throw new TsboxError(
      "invalid",
      `invalid mount config for type "${kind}": invalid specification: destination can't be '/'`,
    );
  return clean as ContainerPath;
}

/** Without "//", "." and ".." (Go's path.Clean of an absolute path). */
function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

function checkSource({ kind, source }: MountRequest): void {
  if (kind === "volume" && source !== "") checkVolumeName(source);
  if (kind === "bind" && !source.startsWith("/"))
    throw new TsboxError(
      "invalid",
      `invalid mount config for type "bind": invalid mount path: '${source}' mount path must be absolute`,
    );
}

/** Turns requests into mount points; named volumes come into being, anonymous ones get their names and go if one fails. */
export async function mountPoints(context: Context, requests: readonly MountRequest[]): Promise<MountPoint[]> {
  const points: MountPoint[] = [];
  try {
    for (const request of requests) points.push(await mountPoint(context, request));
    return points;
  } catch (error) {
    await removeAnonymous(context, points);
    throw error;
  }
}

async function mountPoint(context: Context, request: MountRequest): Promise<MountPoint> {
  const { kind, source, target, readonly, propagation, options } = request;
  if (kind === "volume") {
    const { volume, made } = await context.volumes.make(source === "" ? null : source, {});
    if (made) context.events.emit("volume", "create", volume.name, { driver: "local" });
    return { kind, name: volume.name, source: volume.path, target, readonly, propagation, mode: options };
  }
  if (kind === "bind") await refuseMissing(context, request);
  return { kind, name: "", source: source as HostPath, target, readonly, propagation, mode: options };
}

async function refuseMissing(context: Context, { source, createSource }: MountRequest): Promise<void> {
  if (createSource || (await context.machine.disk.stat(source as HostPath)) !== null) return;
  throw missing(source);
}

function missing(source: string): TsboxError {
  return new TsboxError("invalid", `invalid mount config for type "bind": bind source path does not exist: ${source}`);
}

/** The mounts of the plan: the user's, and the three files every container has of its own. */
export async function resolveMounts(context: Context, record: ContainerRecord): Promise<Mount[]> {
  const asked = await Promise.all(record.mounts.map((point) => resolveMount(context, record, point)));
  const targets = new Set<string>(asked.map(({ target }) => target));
  return [...ownFiles(context, record).filter(({ target }) => !targets.has(target)), ...asked];
}

function ownFiles(context: Context, record: ContainerRecord): Mount[] {
  const files = filesOf(context.machine.disk.dataRoot, record.id);
  const readonly = record.hostConfig.readonlyRootfs;
  return [
    fileMount(files.resolvConf, "/etc/resolv.conf", readonly),
    fileMount(files.hostname, "/etc/hostname", readonly),
    fileMount(files.hosts, "/etc/hosts", readonly),
  ];
}

function fileMount(source: HostPath, target: string, readonly: boolean): Mount {
  const path = target as ContainerPath;
  return { kind: "bind", source, target: path, readonly, recursive: false, propagation: "", isFile: true, options: "" };
}

async function resolveMount(context: Context, record: ContainerRecord, point: MountPoint): Promise<Mount> {
  const { kind, source, target, readonly, propagation, mode } = point;
  const isFile = kind === "bind" && (await sourceIsFile(context, record, point));
  return {
    kind,
    source,
    target,
    readonly,
    recursive: kind === "bind",
    propagation,
    isFile,
    options: kind === "tmpfs" ? mode : "",
  };
}

/** Follows symlinks as the kernel will; a missing directory is made where `-v` asked for it. */
async function sourceIsFile(context: Context, record: ContainerRecord, point: MountPoint): Promise<boolean> {
  const { disk } = context.machine;
  const stat = await disk.stat(point.source);
  if (stat?.kind === "symlink") return (await disk.stat(`${point.source}/.` as HostPath).catch(() => null)) === null;
  if (stat !== null) return stat.kind !== "directory";
  const request = record.hostConfig.mounts.find(({ source }) => source === point.source);
  if (request?.createSource !== true) throw missing(point.source);
  await disk.makeDirectory(point.source, 0o755);
  return false;
}
