/** GET /containers/{id}/json: a record in dockerd's shape (20.10 and later, every path of it). */
import type { ContainerRecord, MountPoint } from "../../core/container/record.ts";
import { configToWire } from "./config.ts";
import { hostConfigToWire } from "./host-config.ts";
import { endpointsOf } from "./network.ts";
import { overlayOf } from "./plan-paths.ts";

export function containerInspect(record: ContainerRecord, storageDriver: string) {
  const directory = record.logPath.slice(0, record.logPath.lastIndexOf("/"));
  return {
    Id: record.id,
    Created: record.createdAt,
    Path: record.path,
    Args: record.args,
    State: stateToWire(record),
    Image: record.image,
    ResolvConfPath: `${directory}/resolv.conf`,
    HostnamePath: `${directory}/hostname`,
    HostsPath: `${directory}/hosts`,
    LogPath: record.logPath,
    Name: `/${record.name}`,
    RestartCount: record.restartCount,
    Driver: storageDriver,
    Platform: "linux",
    MountLabel: "",
    ProcessLabel: "",
    AppArmorProfile: "",
    ExecIDs: null,
    HostConfig: hostConfigToWire(record),
    GraphDriver: { Data: graphDriverData(record), Name: storageDriver },
    Mounts: record.mounts.map(mountPointToWire),
    Config: configToWire(record.config),
    NetworkSettings: networkSettings(record),
  };
}

export type ContainerInspect = ReturnType<typeof containerInspect>;

function stateToWire(record: ContainerRecord) {
  const { state } = record;
  return {
    Status: state,
    Running: state === "running" || state === "paused" || state === "restarting",
    Paused: state === "paused",
    Restarting: state === "restarting",
    OOMKilled: record.oomKilled,
    Dead: state === "dead",
    Pid: record.pid,
    ExitCode: record.exitCode,
    Error: record.error,
    StartedAt: record.startedAt,
    FinishedAt: record.finishedAt,
  };
}

/** Known once the container was started: the plan names the directories that are mounted. */
function graphDriverData(record: ContainerRecord) {
  const overlay = overlayOf(record);
  if (overlay === null) return null;
  return {
    LowerDir: overlay.lowers.toReversed().join(":"),
    MergedDir: overlay.target,
    UpperDir: overlay.upper,
    WorkDir: overlay.work,
  };
}

export function mountPointToWire(mount: MountPoint) {
  return {
    Type: mount.kind,
    ...(mount.kind === "volume" ? { Name: mount.name } : {}),
    Source: mount.source,
    Destination: mount.target,
    ...(mount.kind === "volume" ? { Driver: "local" } : {}),
    Mode: mount.mode,
    RW: !mount.readonly,
    Propagation: mount.propagation,
  };
}

function networkSettings(record: ContainerRecord) {
  return {
    Bridge: "",
    SandboxID: "",
    HairpinMode: false,
    LinkLocalIPv6Address: "",
    LinkLocalIPv6PrefixLen: 0,
    Ports: {},
    SandboxKey: record.pid === 0 ? "" : `/proc/${record.pid}/ns/net`,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: "",
    Gateway: "",
    GlobalIPv6Address: "",
    GlobalIPv6PrefixLen: 0,
    IPAddress: "",
    IPPrefixLen: 0,
    IPv6Gateway: "",
    MacAddress: "",
    Networks: endpointsOf(record),
  };
}
