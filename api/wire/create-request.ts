/**
 * POST /containers/create: the body's schema and its translation to Config and HostConfig. What
 * Docker has and tsbox does not do is refused, or warned about when it does no harm: never
 * silently dropped (see `refusals` and `warnings`).
 */
import * as v from "valibot";
import type { ContainerPath, HostPath } from "../../core/base/brand.ts";
import { TsboxError } from "../../core/base/error.ts";
import type { Config, HostConfig, RestartPolicy } from "../../core/container/config.ts";
import type { Resources } from "../../core/runtime/resources.ts";
import type { UpdateRequest } from "../../core/engine/engine.ts";
import { invalid } from "../errors.ts";
import { parseBind } from "./bind.ts";
import { mountFromWire, mountSchema, tmpfsFromWire } from "./mount.ts";
import {
  integer,
  integerOrNull,
  part,
  size,
  text,
  textMap,
  textOrNull,
  texts,
  textsOrNull,
  textSet,
  truth,
  words,
} from "./schema.ts";

const ulimitSchema = v.object({ Name: text, Soft: integer, Hard: integer });
const deviceSchema = v.object({ PathOnHost: text, PathInContainer: text, CgroupPermissions: text });
const list = <S extends v.GenericSchema>(item: S) => v.nullish(v.array(item), []);

const resourceFields = {
  Memory: integer,
  MemorySwap: integer,
  MemoryReservation: integer,
  NanoCpus: integer,
  CpuShares: integer,
  CpuPeriod: integer,
  CpuQuota: integer,
  CpusetCpus: text,
  CpusetMems: text,
  PidsLimit: integer,
  BlkioWeight: integer,
};

const hostConfigSchema = part({
  Binds: texts,
  Mounts: list(mountSchema),
  Tmpfs: textMap,
  NetworkMode: text,
  PortBindings: textSet,
  PublishAllPorts: truth,
  RestartPolicy: part({ Name: text, MaximumRetryCount: integer }),
  AutoRemove: truth,
  VolumeDriver: text,
  VolumesFrom: texts,
  Links: texts,
  LogConfig: part({ Type: text, Config: textMap }),
  CapAdd: texts,
  CapDrop: texts,
  CgroupnsMode: text,
  CgroupParent: text,
  ConsoleSize: size,
  Devices: list(deviceSchema),
  DeviceRequests: list(v.unknown()),
  Dns: texts,
  DnsOptions: texts,
  DnsSearch: texts,
  ExtraHosts: texts,
  GroupAdd: texts,
  Init: truth,
  IpcMode: text,
  OomKillDisable: truth,
  OomScoreAdj: integer,
  PidMode: text,
  Privileged: truth,
  ReadonlyRootfs: truth,
  Runtime: text,
  SecurityOpt: texts,
  MaskedPaths: textsOrNull,
  ReadonlyPaths: textsOrNull,
  ShmSize: integer,
  Sysctls: textMap,
  Ulimits: list(ulimitSchema),
  UTSMode: text,
  UsernsMode: text,
  ...resourceFields,
});

/** The body of POST /containers/{id}/update. */
export const updateSchema = v.object({
  ...resourceFields,
  RestartPolicy: part({ Name: text, MaximumRetryCount: integer }),
});

export const createSchema = v.object({
  Hostname: text,
  Domainname: text,
  User: text,
  AttachStdin: truth,
  AttachStdout: truth,
  AttachStderr: truth,
  OpenStdin: truth,
  StdinOnce: truth,
  Tty: truth,
  Env: texts,
  Cmd: words,
  Entrypoint: words,
  Image: text,
  WorkingDir: text,
  Labels: textMap,
  Volumes: textSet,
  ExposedPorts: textSet,
  StopSignal: textOrNull,
  StopTimeout: integerOrNull,
  Healthcheck: part({ Test: texts }),
  HostConfig: hostConfigSchema,
});

export type CreateBody = v.InferOutput<typeof createSchema>;
type HostBody = CreateBody["HostConfig"];

/** Throws TsboxError "invalid" or "unsupported". */
export function configFromWire(body: CreateBody): Config {
  if (body.Image === "") throw invalid("no image specified: the request body has no Image");
  return {
    hostname: body.Hostname,
    domainname: body.Domainname,
    user: body.User,
    attachStdin: body.AttachStdin,
    attachStdout: body.AttachStdout,
    attachStderr: body.AttachStderr,
    openStdin: body.OpenStdin,
    stdinOnce: body.StdinOnce,
    tty: body.Tty,
    env: body.Env,
    entrypoint: body.Entrypoint,
    cmd: body.Cmd,
    image: body.Image,
    workingDir: body.WorkingDir,
    labels: body.Labels,
    volumes: body.Volumes as ContainerPath[],
    exposedPorts: body.ExposedPorts.map((port) => (port.includes("/") ? port : `${port}/tcp`)),
    stopSignal: body.StopSignal === "" ? null : body.StopSignal,
    stopTimeoutSeconds: body.StopTimeout,
  };
}

const shmSizeBytesDefault = 64 * 1024 * 1024;

/** Throws TsboxError "invalid" or "unsupported". */
export function hostConfigFromWire(host: HostBody): HostConfig {
  for (const { asked, message } of refusals) if (asked(host)) throw new TsboxError("unsupported", message(host));
  return {
    networkMode: host.NetworkMode === "" ? "default" : host.NetworkMode,
    autoRemove: host.AutoRemove,
    privileged: host.Privileged,
    readonlyRootfs: host.ReadonlyRootfs,
    capAdd: host.CapAdd,
    capDrop: host.CapDrop,
    securityOpt: securityOptions(host),
    mounts: [
      ...host.Binds.map(parseBind),
      ...host.Mounts.map(mountFromWire),
      ...Object.entries(host.Tmpfs).map(tmpfsFromWire),
    ],
    binds: host.Binds,
    resources: resourcesFromWire(host),
    restartPolicy: restartPolicyFromWire(host.RestartPolicy),
    ulimits: host.Ulimits.map(({ Name, Soft, Hard }) => ({ name: Name, soft: Soft, hard: Hard })),
    devices: host.Devices.map((device) => ({
      host: device.PathOnHost as HostPath,
      container: (device.PathInContainer || device.PathOnHost) as ContainerPath,
      permissions: device.CgroupPermissions || "rwm",
    })),
    groupAdd: host.GroupAdd,
    extraHosts: host.ExtraHosts,
    dns: host.Dns,
    dnsSearch: host.DnsSearch,
    dnsOptions: host.DnsOptions,
    sysctls: host.Sysctls,
    shmSizeBytes: host.ShmSize === 0 ? shmSizeBytesDefault : host.ShmSize,
    oomScoreAdj: host.OomScoreAdj,
    init: host.Init,
    usernsMode: host.UsernsMode,
    pidMode: host.PidMode,
    ipcMode: host.IpcMode,
    utsMode: host.UTSMode,
    cgroupnsMode: host.CgroupnsMode,
    cgroupParent: host.CgroupParent,
    consoleSize: host.ConsoleSize,
    logOptions: host.LogConfig.Config,
  };
}

/** The docker client turns systempaths=unconfined into two empty lists; here it is an option again. */
function securityOptions(host: HostBody): readonly string[] {
  return host.MaskedPaths === null && host.ReadonlyPaths === null
    ? host.SecurityOpt
    : [...host.SecurityOpt, "systempaths=unconfined"];
}

/** A restart policy without a name is none that was asked for. Throws TsboxError "invalid". */
export function updateFromWire(body: v.InferOutput<typeof updateSchema>): UpdateRequest {
  const { RestartPolicy: policy } = body;
  return {
    resources: resourcesFromWire(body),
    restartPolicy: policy.Name === "" && policy.MaximumRetryCount === 0 ? null : restartPolicyFromWire(policy),
  };
}

function resourcesFromWire(host: Pick<HostBody, keyof typeof resourceFields>): Resources {
  return {
    memoryBytes: host.Memory,
    memorySwapBytes: host.MemorySwap,
    memoryReservationBytes: host.MemoryReservation,
    nanoCpus: host.NanoCpus,
    cpuShares: host.CpuShares,
    cpuPeriodMicros: host.CpuPeriod,
    cpuQuotaMicros: host.CpuQuota,
    cpusetCpus: host.CpusetCpus,
    cpusetMems: host.CpusetMems,
    pidsLimit: host.PidsLimit,
    blkioWeight: host.BlkioWeight,
  };
}

/** Throws TsboxError "invalid" (moby: api/types/container.ValidateRestartPolicy). */
export function restartPolicyFromWire(policy: HostBody["RestartPolicy"]): RestartPolicy {
  const { Name: name, MaximumRetryCount: count } = policy;
  if (count < 0) throw invalid("invalid restart policy: maximum retry count cannot be negative");
  switch (name) {
    case "":
    case "no":
    case "always":
    case "unless-stopped":
      if (count !== 0) throw invalid("invalid restart policy: maximum retry count can only be used with 'on-failure'");
      return { name: name === "" ? "no" : name, maximumRetryCount: 0 };
    case "on-failure":
      return { name, maximumRetryCount: count };
    default:
      throw invalid(
        `invalid restart policy: unknown policy '${name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
      );
  }
}

/** What would change the container's meaning if it were left out. */
const refusals: readonly { asked: (host: HostBody) => boolean; message: (host: HostBody) => string }[] = [
  {
    asked: ({ MaskedPaths, ReadonlyPaths }) =>
      [MaskedPaths, ReadonlyPaths].some((paths) => paths !== null && paths.length > 0) ||
      (MaskedPaths === null) !== (ReadonlyPaths === null),
    message: () =>
      "lists of masked and read-only paths are not supported: use none (systempaths=unconfined) or the default",
  },
  {
    asked: (host) => host.VolumesFrom.length > 0,
    message: () => "volumes from other containers are not supported yet: name the volumes with -v",
  },
  {
    asked: (host) => host.Links.length > 0,
    message: () => "links are not supported: Docker keeps them for old setups only",
  },
  { asked: (host) => host.DeviceRequests.length > 0, message: () => "device requests (--gpus) are not supported" },
  {
    asked: (host) => !["", "local"].includes(host.VolumeDriver),
    message: (host) => `volume driver ${JSON.stringify(host.VolumeDriver)} is not supported: use "local"`,
  },
  {
    asked: (host) => !["", "json-file"].includes(host.LogConfig.Type),
    message: (host) => `log driver ${JSON.stringify(host.LogConfig.Type)} is not supported: use "json-file"`,
  },
  {
    asked: (host) => !["", "tsbox", "runc"].includes(host.Runtime),
    message: (host) => `unknown or invalid runtime name: ${host.Runtime}`,
  },
];

/** What can be left out, and is said to be. */
export function createWarnings(body: CreateBody): string[] {
  const host = body.HostConfig;
  const warnings: string[] = [];
  if (host.PortBindings.length > 0 || host.PublishAllPorts)
    warnings.push("Ports are not published yet: the container has no network but lo.");
  if (body.Healthcheck.Test.length > 0 && body.Healthcheck.Test[0] !== "NONE")
    warnings.push("Health checks are not performed yet. Health check discarded.");
  if (host.OomKillDisable) warnings.push("OomKillDisable is not supported. OomKillDisable discarded.");
  return warnings;
}
