/**
 * Creating a container: everything the user said is checked first, then its layer and its files are
 * made, and last its record. A failure on the way leaves nothing.
 */
import type { ContainerId, HostPath } from "../base/brand.ts";
import { decodeBytes, encodeText, hex } from "../base/bytes.ts";
import { Errno } from "../base/errno.ts";
import { TsboxError } from "../base/error.ts";
import { formatTime, zeroTime } from "../base/time.ts";
import type { Config, HostConfig } from "../container/config.ts";
import { hostnameText, hostsText, resolvConfText } from "../container/etc-files.ts";
import { checkLimits } from "../container/limits.ts";
import { idleLogOptions, rotationOf } from "../container/log-options.ts";
import { commandOf, mergeConfig } from "../container/merge.ts";
import { makeUpName, parseName } from "../container/names.ts";
import type { ContainerRecord, MountPoint } from "../container/record.ts";
import { type ContainerFiles, filesOf } from "../container/records.ts";
import { checkRestartPolicy } from "../container/restart.ts";
import { parseSecurity } from "../container/security.ts";
import { parseSignal } from "../container/signal.ts";
import type { Image } from "../image/image.ts";
import { formatPlatform, parsePlatform } from "../image/platform.ts";
import { capabilitySet } from "../runtime/capability-set.ts";
import type { HostTraits } from "../runtime/traits.ts";
import { workingDirectory } from "../runtime/spec-for.ts";
import { type Context, emit } from "./context.ts";
import type { CreateRequest } from "./engine.ts";
import { fillVolumes } from "./files.ts";
import { Live } from "./live.ts";
import { mountPoints, mountRequests } from "./mounts.ts";
import { lowersOf } from "./plan-for.ts";
import { removeAnonymous } from "./volumes.ts";

export async function create(
  context: Context,
  request: CreateRequest,
): Promise<{ id: ContainerId; warnings: string[] }> {
  const asked = request.name === null || request.name === "" ? null : parseName(request.name);
  const image = await context.images.resolve(
    request.config.image,
    parsePlatform(request.platform ?? "", context.machine.traits.architecture),
  );
  checkPlatform(request, image);
  const draft = draftOf(context, request, image);
  const name = asked ?? makeUpName(context.ports.random, (taken) => context.containers.isTaken(taken));
  context.containers.reserve(name, draft.id);
  context.drafts.add(draft);
  try {
    const live = new Live(await make(context, { ...draft, name }));
    context.containers.add(live);
    emit(context, live, "create");
    return { id: draft.id, warnings: warningsOf(draft.hostConfig, context.machine.traits) };
  } catch (error) {
    context.containers.release(name);
    if (!(error instanceof Errno)) throw error;
    throw new TsboxError("failed", `cannot create container ${name}: ${error.message}`, {}, { cause: error });
  } finally {
    context.drafts.delete(draft);
  }
}

/** What was asked and has no effect yet. */
function warningsOf({ init, logOptions }: HostConfig, traits: HostTraits): string[] {
  const warnings: string[] = [];
  if (init && traits.init === undefined)
    warnings.push("--init has no effect here: the program itself is the first process");
  const idle = idleLogOptions(logOptions);
  if (idle.length > 0) warnings.push(`log options that have no effect yet: ${idle.join(", ")}`);
  return warnings;
}

/** Docker's words (moby: daemon/images). */
function checkPlatform({ platform, config }: CreateRequest, image: Image): void {
  if (platform === null || platform === "") return;
  const actual = [image.os, image.architecture, ...(image.variant === "" ? [] : [image.variant])].join("/");
  const wanted = platform.split("/").length === 1 ? `${image.os}/${platform}` : platform;
  if (actual === wanted || actual.startsWith(`${wanted}/`)) return;
  throw new TsboxError(
    "not-found",
    `image with reference ${config.image} was found but does not match the specified platform: ` +
      `wanted ${wanted}, actual: ${actual}`,
  );
}

/** Everything but name and mount points; nothing is made yet. Throws what is wrong with the request. */
function draftOf(context: Context, { config: asked, hostConfig }: CreateRequest, image: Image): ContainerRecord {
  const id = newId(context);
  const merged = mergeConfig(asked, image.defaults);
  const [path, ...args] = commandOf(merged);
  const config = withHostname(merged, hostConfig, id);
  checkConfig(config);
  checkHost(context, hostConfig);
  return {
    version: 1,
    id,
    name: "",
    createdAt: formatTime(context.ports.clock.now()),
    image: image.id,
    layers: image.layers,
    platform: formatPlatform(image),
    config,
    hostConfig: { ...hostConfig, networkMode: networkMode(hostConfig.networkMode) },
    path,
    args,
    mounts: [],
    state: "created",
    pid: 0,
    exitCode: 0,
    error: "",
    oomKilled: false,
    startedAt: zeroTime,
    finishedAt: zeroTime,
    restartCount: 0,
    stoppedByUser: false,
    bootId: context.bootId,
    plan: null,
    undo: null,
    logPath: filesOf(context.machine.disk.dataRoot, id).log,
  };
}

/** Its first 12 digits are nobody else's: they name sockets and, by default, the host. */
function newId(context: Context): ContainerId {
  for (;;) {
    const id = hex(context.ports.random.bytes(32)) as ContainerId;
    if (!context.containers.isIdTaken(id)) return id;
  }
}

function withHostname(config: Config, host: HostConfig, id: ContainerId): Config {
  return config.hostname !== "" || host.utsMode === "host" ? config : { ...config, hostname: id.slice(0, 12) };
}

const longestHostname = 64;

function checkConfig(config: Config): void {
  workingDirectory(config.workingDir);
  if (config.stopSignal !== null && config.stopSignal !== "") parseSignal(config.stopSignal);
  for (const variable of config.env)
    if (variable === "" || variable.startsWith("="))
      throw new TsboxError("invalid", `invalid environment variable: ${variable}`);
  const strings = [...config.env, ...(config.entrypoint ?? []), ...(config.cmd ?? []), config.workingDir, config.user];
  for (const text of strings)
    if (text.includes("\0")) throw new TsboxError("invalid", `${JSON.stringify(text)} contains a NUL character`);
  for (const name of [config.hostname, config.domainname])
    if (encodeText(name).length > longestHostname)
      throw new TsboxError("invalid", `invalid hostname ${name}: it is longer than ${longestHostname} bytes`);
}

function checkHost(context: Context, host: HostConfig): void {
  checkLimits(host, context.machine.traits.processors);
  checkRestartPolicy(host.restartPolicy, host.autoRemove);
  rotationOf(host.logOptions);
  parseSecurity(host.securityOpt);
  capabilitySet({ add: host.capAdd, drop: host.capDrop, privileged: host.privileged });
}

/** Until networks exist every container has its own loopback device and no more. */
function networkMode(asked: string): string {
  if (["", "default", "bridge", "none"].includes(asked)) return "none";
  if (asked === "host" || asked.startsWith("container:"))
    throw new TsboxError("unsupported", `network mode ${asked} is not supported yet: use --network none`);
  throw new TsboxError("not-found", `network ${asked} not found`);
}

async function make(context: Context, draft: ContainerRecord): Promise<ContainerRecord> {
  const requests = mountRequests(draft.config, draft.hostConfig);
  const files = filesOf(context.machine.disk.dataRoot, draft.id);
  let mounts: readonly MountPoint[] = [];
  try {
    mounts = await mountPoints(context, requests);
    await context.machine.disk.makeDirectory(files.directory, 0o710);
    await Promise.all([
      context.machine.layers.prepare(draft.id, lowersOf(draft)),
      writeOwnFiles(context, draft, files),
    ]);
    const record = { ...draft, mounts };
    await fillVolumes(context, record);
    await context.records.save(record);
    return record;
  } catch (error) {
    await unmake(context, draft.id, files, mounts);
    throw error;
  }
}

async function writeOwnFiles(context: Context, record: ContainerRecord, files: ContainerFiles): Promise<void> {
  const write = (path: HostPath, text: string): Promise<void> =>
    context.machine.disk.writeAtomically(path, encodeText(text), 0o644);
  await Promise.all([
    write(files.hostname, hostnameText(record.config)),
    write(files.hosts, hostsText(record.hostConfig)),
    write(files.resolvConf, resolvConfText(record.hostConfig, await hostResolvConf(context))),
  ]);
}

async function hostResolvConf(context: Context): Promise<string> {
  const bytes = await context.machine.disk.read("/etc/resolv.conf" as HostPath).catch(() => new Uint8Array());
  return decodeBytes(bytes);
}

async function unmake(
  context: Context,
  id: ContainerId,
  files: ContainerFiles,
  mounts: readonly MountPoint[],
): Promise<void> {
  await context.attempt("discarding a layer", context.machine.layers.discard(id));
  await context.attempt("removing a directory", context.machine.disk.remove(files.directory));
  await removeAnonymous(context, mounts);
}
