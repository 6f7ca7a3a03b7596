/** HostConfig as inspect gives it back: every field dockerd has, those we do not act on at their zero. */
import type { HostConfig } from "../../core/container/config.ts";
import type { ContainerRecord } from "../../core/container/record.ts";
import { isMountFlag, isTmpfsFlag, mountToWire } from "./mount.ts";
import { effectiveNetworkMode } from "./network.ts";
import { maskedPathsOf, readonlyPathsOf } from "./plan-paths.ts";

export function hostConfigToWire(record: ContainerRecord) {
  const host = record.hostConfig;
  const mounts = host.mounts.filter((mount) => isMountFlag(mount, host.binds));
  const tmpfs = host.mounts.filter(isTmpfsFlag);
  return {
    Binds: orNull(host.binds),
    ContainerIDFile: "",
    LogConfig: { Type: "json-file", Config: host.logOptions },
    NetworkMode: effectiveNetworkMode(host.networkMode),
    PortBindings: {},
    RestartPolicy: { Name: host.restartPolicy.name, MaximumRetryCount: host.restartPolicy.maximumRetryCount },
    AutoRemove: host.autoRemove,
    VolumeDriver: "",
    VolumesFrom: null,
    ...(mounts.length > 0 ? { Mounts: mounts.map(mountToWire) } : {}),
    ...(tmpfs.length > 0 ? { Tmpfs: Object.fromEntries(tmpfs.map(({ target, options }) => [target, options])) } : {}),
    CapAdd: orNull(host.capAdd),
    CapDrop: orNull(host.capDrop),
    CgroupnsMode: host.cgroupnsMode || "private",
    Dns: host.dns,
    DnsOptions: host.dnsOptions,
    DnsSearch: host.dnsSearch,
    ExtraHosts: orNull(host.extraHosts),
    GroupAdd: orNull(host.groupAdd),
    IpcMode: host.ipcMode || "private",
    Cgroup: "",
    Links: null,
    OomScoreAdj: host.oomScoreAdj,
    PidMode: host.pidMode,
    Privileged: host.privileged,
    PublishAllPorts: false,
    ReadonlyRootfs: host.readonlyRootfs,
    SecurityOpt: orNull(host.securityOpt),
    UTSMode: host.utsMode,
    UsernsMode: host.usernsMode,
    ShmSize: host.shmSizeBytes,
    ...(Object.keys(host.sysctls).length > 0 ? { Sysctls: host.sysctls } : {}),
    Runtime: "tsbox",
    ConsoleSize: host.consoleSize,
    Isolation: "",
    ...resourcesToWire(host),
    MaskedPaths: maskedPathsOf(record),
    ReadonlyPaths: readonlyPathsOf(record),
    ...(host.init ? { Init: true } : {}),
  };
}

function resourcesToWire(host: HostConfig) {
  const { resources } = host;
  return {
    CpuShares: resources.cpuShares,
    Memory: resources.memoryBytes,
    NanoCpus: resources.nanoCpus,
    CgroupParent: host.cgroupParent,
    BlkioWeight: resources.blkioWeight,
    BlkioWeightDevice: [],
    BlkioDeviceReadBps: [],
    BlkioDeviceWriteBps: [],
    BlkioDeviceReadIOps: [],
    BlkioDeviceWriteIOps: [],
    CpuPeriod: resources.cpuPeriodMicros,
    CpuQuota: resources.cpuQuotaMicros,
    CpuRealtimePeriod: 0,
    CpuRealtimeRuntime: 0,
    CpusetCpus: resources.cpusetCpus,
    CpusetMems: resources.cpusetMems,
    Devices: host.devices.map((device) => ({
      PathOnHost: device.host,
      PathInContainer: device.container,
      CgroupPermissions: device.permissions,
    })),
    DeviceCgroupRules: null,
    DeviceRequests: null,
    KernelMemory: 0,
    KernelMemoryTCP: 0,
    MemoryReservation: resources.memoryReservationBytes,
    MemorySwap: resources.memorySwapBytes,
    MemorySwappiness: null,
    OomKillDisable: false,
    PidsLimit: resources.pidsLimit === 0 ? null : resources.pidsLimit,
    Ulimits: host.ulimits.map(({ name, soft, hard }) => ({ Name: name, Hard: hard, Soft: soft })),
    CpuCount: 0,
    CpuPercent: 0,
    IOMaximumIOps: 0,
    IOMaximumBandwidth: 0,
  };
}

/** Docker tells an empty list from one that was never given. */
export function orNull<T>(list: readonly T[]): readonly T[] | null {
  return list.length === 0 ? null : list;
}
