/** Version and info as Docker's clients read them, from the machine's traits. */
import type { RegistryConfig } from "../../core/image/registry/endpoints.ts";
import { formatTime } from "../../core/base/time.ts";
import type { CgroupController, HostTraits } from "../../core/runtime/traits.ts";
import type { SystemInfo } from "../system-info.ts";
import { newestVersion, oldestVersion } from "../version.ts";

export function versionInfo(traits: HostTraits, system: SystemInfo) {
  const common = {
    ApiVersion: newestVersion,
    MinAPIVersion: oldestVersion,
    GitCommit: system.commit,
    GoVersion: system.runtime,
    Os: "linux",
    Arch: traits.architecture,
    KernelVersion: traits.kernel,
    BuildTime: system.buildTime,
  };
  return {
    Platform: { Name: "tsbox" },
    Components: [{ Name: "Engine", Version: system.version, Details: { ...common, Experimental: "false" } }],
    Version: system.version,
    ...common,
    Experimental: false,
  };
}

export type VersionInfo = ReturnType<typeof versionInfo>;

export interface Counts {
  readonly all: number;
  readonly running: number;
  readonly paused: number;
  readonly images: number;
}

export function engineInfo(traits: HostTraits, system: SystemInfo, counts: Counts, registries: RegistryConfig) {
  return {
    ID: system.id,
    Containers: counts.all,
    ContainersRunning: counts.running,
    ContainersPaused: counts.paused,
    ContainersStopped: counts.all - counts.running - counts.paused,
    Images: counts.images,
    Driver: system.storageDriver,
    DriverStatus: [["Mounted through", traits.overlay]],
    Plugins: { Volume: ["local"], Network: ["host", "null"], Authorization: null, Log: ["json-file"] },
    ...abilities(traits),
    Debug: system.debug,
    NFd: 0,
    NGoroutines: 0,
    SystemTime: formatTime(system.clock.now()),
    LoggingDriver: "json-file",
    CgroupDriver: "cgroupfs",
    CgroupVersion: cgroupVersion(traits),
    NEventsListener: 0,
    KernelVersion: traits.kernel,
    OperatingSystem: system.operatingSystem,
    OSVersion: "",
    OSType: "linux",
    Architecture: traits.architecture === "amd64" ? "x86_64" : "aarch64",
    IndexServerAddress: "https://index.docker.io/v1/",
    RegistryConfig: registryConfig(registries),
    NCPU: traits.processors,
    MemTotal: traits.memoryBytes,
    GenericResources: null,
    DockerRootDir: system.dataRoot,
    HttpProxy: "",
    HttpsProxy: "",
    NoProxy: "",
    Name: system.hostName,
    Labels: [],
    ExperimentalBuild: false,
    ServerVersion: system.version,
    Runtimes: { tsbox: { path: "tsbox" } },
    DefaultRuntime: "tsbox",
    Swarm: swarm,
    LiveRestoreEnabled: true,
    Isolation: "",
    InitBinary: "",
    ContainerdCommit: { ID: "", Expected: "" },
    RuncCommit: { ID: "", Expected: "" },
    InitCommit: { ID: "", Expected: "" },
    SecurityOptions: securityOptions(traits),
    Warnings: warnings(traits),
  };
}

/** Loopback is always among the insecure; a host that is has an entry of its own (moby: registry/config.go). */
function registryConfig({ mirrors, insecure }: RegistryConfig) {
  const index = (Name: string, Mirrors: readonly string[], Secure: boolean) => ({
    Name,
    Mirrors,
    Secure,
    Official: Name === "docker.io",
  });
  const isNetwork = (entry: string): boolean => entry.includes("/");
  const hosts = insecure.filter((entry) => !isNetwork(entry)).map((host) => [host, index(host, [], false)] as const);
  return {
    AllowNondistributableArtifactsCIDRs: [],
    AllowNondistributableArtifactsHostnames: [],
    InsecureRegistryCIDRs: [...insecure.filter(isNetwork), "127.0.0.0/8"],
    IndexConfigs: Object.fromEntries([...hosts, ["docker.io", index("docker.io", mirrors, true)]]),
    Mirrors: mirrors,
  };
}

const swarm = {
  NodeID: "",
  NodeAddr: "",
  LocalNodeState: "inactive",
  ControlAvailable: false,
  Error: "",
  RemoteManagers: null,
};

function hasController(traits: HostTraits, controller: CgroupController): boolean {
  return traits.cgroups.some(({ controllers }) => controllers.includes(controller));
}

function abilities(traits: HostTraits) {
  const cpu = hasController(traits, "cpu");
  const memory = hasController(traits, "memory");
  return {
    MemoryLimit: memory,
    SwapLimit: memory,
    KernelMemory: false,
    KernelMemoryTCP: false,
    CpuCfsPeriod: cpu,
    CpuCfsQuota: cpu,
    CPUShares: cpu,
    CPUSet: hasController(traits, "cpuset"),
    PidsLimit: hasController(traits, "pids"),
    IPv4Forwarding: false,
    BridgeNfIptables: false,
    BridgeNfIp6tables: false,
    OomKillDisable: false,
  };
}

/** "2" only where every controller is on the unified hierarchy. */
function cgroupVersion(traits: HostTraits): string {
  return traits.cgroups.some(({ version }) => version === 1) ? "1" : "2";
}

function securityOptions(traits: HostTraits): string[] {
  return [
    ...(traits.seccomp ? ["name=seccomp,profile=builtin"] : []),
    ...(traits.rootless ? ["name=rootless"] : []),
    "name=cgroupns",
  ];
}

function warnings(traits: HostTraits): string[] | null {
  const missing = [
    ...(hasController(traits, "memory") ? [] : ["WARNING: No memory limit support"]),
    ...(hasController(traits, "cpu") ? [] : ["WARNING: No cpu cfs quota support"]),
    ...(hasController(traits, "pids") ? [] : ["WARNING: No pids limit support"]),
    ...(traits.seccomp ? [] : ["WARNING: No seccomp support"]),
  ];
  return missing.length === 0 ? null : missing;
}
