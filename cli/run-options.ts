/**
 * The flags that `run` and `create` share, and the body of POST /containers/create made of them.
 * Only what was given is sent, except where Docker's own client sends a fixed empty value.
 */
import type { Call } from "./command.ts";
import { CliError } from "./errors.ts";
import { type FlagValues, flag } from "./flags.ts";
import { checkLabel, checkVariable, gatherEnvironment, splitPair, toMap } from "./values/environment.ts";
import { parseDevice, parseMount, parseRestart, splitVolumes, toTmpfs } from "./values/mounts.ts";
import { parseExpose, parsePublish } from "./values/ports.ts";
import { parseCpus, parseSize, parseSwap, parseUlimit } from "./values/size.ts";

export const createFlags = {
  "add-host": flag.list(null, "Add a custom host-to-IP mapping (host:ip)", "list", checkHost),
  "cap-add": flag.list(null, "Add Linux capabilities"),
  "cap-drop": flag.list(null, "Drop Linux capabilities"),
  cgroupns: flag.text(null, "Cgroup namespace to use (host|private)"),
  "cgroup-parent": flag.text(null, "Optional parent cgroup for the container"),
  cidfile: flag.text(null, "Write the container ID to the file"),
  "cpu-period": flag.integer(null, "Limit CPU CFS (Completely Fair Scheduler) period"),
  "cpu-quota": flag.integer(null, "Limit CPU CFS (Completely Fair Scheduler) quota"),
  "cpu-shares": flag.integer("c", "CPU shares (relative weight)"),
  cpus: flag.value(null, "decimal", "Number of CPUs", 0, parseCpus),
  "cpuset-cpus": flag.text(null, "CPUs in which to allow execution (0-3, 0,1)"),
  "cpuset-mems": flag.text(null, "MEMs in which to allow execution (0-3, 0,1)"),
  device: flag.list(null, "Add a host device to the container", "list", parseDevice),
  dns: flag.list(null, "Set custom DNS servers"),
  "dns-option": flag.list(null, "Set DNS options"),
  "dns-search": flag.list(null, "Set custom DNS search domains"),
  domainname: flag.text(null, "Container NIS domain name"),
  entrypoint: flag.text(null, "Overwrite the default ENTRYPOINT of the image"),
  env: flag.list("e", "Set environment variables", "list", checkVariable),
  "env-file": flag.list(null, "Read in a file of environment variables"),
  expose: flag.list(null, "Expose a port or a range of ports", "list", parseExpose),
  "group-add": flag.list(null, "Add additional groups to join"),
  hostname: flag.text("h", "Container host name"),
  init: flag.bool(null, "Run an init inside the container that forwards signals and reaps processes"),
  interactive: flag.bool("i", "Keep STDIN open even if not attached"),
  ipc: flag.text(null, "IPC mode to use"),
  label: flag.list("l", "Set meta data on a container", "list", checkLabel),
  "log-driver": flag.text(null, "Logging driver for the container"),
  "log-opt": flag.list(null, "Log driver options"),
  memory: flag.value("m", "bytes", "Memory limit", 0, parseSize),
  "memory-reservation": flag.value(null, "bytes", "Memory soft limit", 0, parseSize),
  "memory-swap": flag.value(
    null,
    "bytes",
    "Swap limit equal to memory plus swap: '-1' to enable unlimited swap",
    0,
    parseSwap,
  ),
  mount: flag.list(null, "Attach a filesystem mount to the container", "mount", parseMount),
  name: flag.text(null, "Assign a name to the container"),
  network: flag.text(null, "Connect a container to a network", "network"),
  net: flag.text(null, "Connect a container to a network", "network"),
  "oom-kill-disable": flag.bool(null, "Disable OOM Killer"),
  "oom-score-adj": flag.integer(null, "Tune host's OOM preferences (-1000 to 1000)"),
  pid: flag.text(null, "PID namespace to use"),
  "pids-limit": flag.integer(null, "Tune container pids limit (set -1 for unlimited)"),
  platform: flag.text(null, "Set platform if server is multi-platform capable"),
  privileged: flag.bool(null, "Give extended privileges to this container"),
  publish: flag.list("p", "Publish a container's port(s) to the host", "list", parsePublish),
  "publish-all": flag.bool("P", "Publish all exposed ports to random ports"),
  pull: flag.text(null, 'Pull image before running ("always", "missing", "never")', "string", "missing"),
  quiet: flag.bool("q", "Suppress the pull output"),
  "read-only": flag.bool(null, "Mount the container's root filesystem as read only"),
  restart: flag.text(null, "Restart policy to apply when a container exits", "string", "no"),
  rm: flag.bool(null, "Automatically remove the container and its associated anonymous volumes when it exits"),
  runtime: flag.text(null, "Runtime to use for this container"),
  "security-opt": flag.list(null, "Security Options"),
  "shm-size": flag.value(null, "bytes", "Size of /dev/shm", 0, parseSize),
  "stop-signal": flag.text(null, "Signal to stop the container"),
  "stop-timeout": flag.integer(null, "Timeout (in seconds) to stop a container"),
  sysctl: flag.list(null, "Sysctl options", "map"),
  tmpfs: flag.list(null, "Mount a tmpfs directory"),
  tty: flag.bool("t", "Allocate a pseudo-TTY"),
  ulimit: flag.list(null, "Ulimit options", "ulimit", parseUlimit),
  user: flag.text("u", "Username or UID (format: <name|uid>[:<group|gid>])"),
  userns: flag.text(null, "User namespace to use"),
  uts: flag.text(null, "UTS namespace to use"),
  volume: flag.list("v", "Bind mount a volume"),
  "volume-driver": flag.text(null, "Optional volume driver for the container"),
  "volumes-from": flag.list(null, "Mount volumes from the specified container(s)"),
  workdir: flag.text("w", "Working directory inside the container"),
};

type CreateOptions = FlagValues<typeof createFlags>;
export type CreateCall = Pick<Call<typeof createFlags>, "options" | "given" | "args" | "ports">;

export interface Attached {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** The body of POST /containers/create; throws CliError for flags that do not go together. */
export async function createBody(call: CreateCall, attached: Attached): Promise<Record<string, unknown>> {
  const { options, given, args, ports } = call;
  checkCombinations(options, given);
  const [image = "", ...words] = args;
  const volumes = splitVolumes(options.volume, ports.files.resolve);
  return {
    Hostname: options.hostname,
    Domainname: options.domainname,
    User: options.user,
    AttachStdin: attached.stdin,
    AttachStdout: attached.stdout,
    AttachStderr: attached.stderr,
    Tty: options.tty,
    OpenStdin: options.interactive,
    StdinOnce: attached.stdin,
    Env: await gatherEnvironment(options.env, options["env-file"], ports),
    Cmd: words.length === 0 ? null : words,
    Image: image,
    Volumes: volumes.anonymous,
    WorkingDir: options.workdir,
    Entrypoint: entrypoint(options, given),
    Labels: toMap(options.label),
    ...exposed(options),
    ...(given.has("stop-signal") ? { StopSignal: options["stop-signal"] } : {}),
    ...(given.has("stop-timeout") ? { StopTimeout: options["stop-timeout"] } : {}),
    HostConfig: hostConfig(call, volumes.binds),
  };
}

function checkCombinations(options: CreateOptions, given: ReadonlySet<string>): void {
  if (options.rm && options.restart !== "no" && options.restart !== "")
    throw new CliError("conflicting options: cannot specify both --restart and --rm", 125);
  if (given.has("stop-timeout") && options["stop-timeout"] < -1)
    throw new CliError("invalid argument for --stop-timeout: it must be -1 or more seconds", 125);
  if (!["always", "missing", "never"].includes(options.pull))
    throw new CliError(`invalid pull option: '${options.pull}': must be one of "always", "missing" or "never"`, 125);
}

/** `--entrypoint ""` means: none, not even the image's. */
function entrypoint(options: CreateOptions, given: ReadonlySet<string>): string[] | null {
  return given.has("entrypoint") ? [options.entrypoint] : null;
}

function exposed(options: CreateOptions): object {
  const ports = [...options.expose.flat(), ...options.publish.flat().map((each) => each.port)];
  return ports.length === 0 ? {} : { ExposedPorts: Object.fromEntries(ports.map((port) => [port, {}])) };
}

function hostConfig(call: CreateCall, binds: readonly string[]): Record<string, unknown> {
  const { options } = call;
  return {
    Binds: binds.length === 0 ? null : binds,
    ContainerIDFile: options.cidfile,
    LogConfig: { Type: options["log-driver"], Config: toMap(options["log-opt"]) },
    NetworkMode: options.net || options.network || "default",
    PortBindings: portBindings(options),
    RestartPolicy: parseRestart(options.restart),
    AutoRemove: options.rm,
    VolumeDriver: options["volume-driver"],
    VolumesFrom: orNull(options["volumes-from"]),
    ConsoleSize: consoleSize(call),
    CapAdd: orNull(options["cap-add"].map(capability)),
    CapDrop: orNull(options["cap-drop"].map(capability)),
    CgroupnsMode: options.cgroupns,
    Dns: options.dns,
    DnsOptions: options["dns-option"],
    DnsSearch: options["dns-search"],
    ExtraHosts: orNull(options["add-host"]),
    GroupAdd: orNull(options["group-add"]),
    IpcMode: options.ipc,
    OomScoreAdj: options["oom-score-adj"],
    PidMode: options.pid,
    Privileged: options.privileged,
    PublishAllPorts: options["publish-all"],
    ReadonlyRootfs: options["read-only"],
    UTSMode: options.uts,
    UsernsMode: options.userns,
    ShmSize: options["shm-size"],
    ...resources(call),
    ...givenOnly(call),
  };
}

function resources({ options }: CreateCall): object {
  return {
    CpuShares: options["cpu-shares"],
    Memory: options.memory,
    NanoCpus: options.cpus,
    CgroupParent: options["cgroup-parent"],
    BlkioWeightDevice: [],
    BlkioDeviceReadBps: [],
    BlkioDeviceWriteBps: [],
    BlkioDeviceReadIOps: [],
    BlkioDeviceWriteIOps: [],
    CpuPeriod: options["cpu-period"],
    CpuQuota: options["cpu-quota"],
    CpusetCpus: options["cpuset-cpus"],
    CpusetMems: options["cpuset-mems"],
    Devices: options.device,
    MemoryReservation: options["memory-reservation"],
    MemorySwap: options["memory-swap"],
    MemorySwappiness: -1,
    OomKillDisable: options["oom-kill-disable"],
    PidsLimit: options["pids-limit"],
    Ulimits: options.ulimit,
  };
}

/** What Docker's client leaves out of the body unless it was asked for. */
function givenOnly({ options, given }: CreateCall): object {
  return {
    ...(options["security-opt"].length > 0 ? { SecurityOpt: options["security-opt"] } : { SecurityOpt: null }),
    ...(options.tmpfs.length > 0 ? { Tmpfs: toTmpfs(options.tmpfs) } : {}),
    ...(options.sysctl.length > 0 ? { Sysctls: Object.fromEntries(options.sysctl.map(splitPair)) } : {}),
    ...(options.mount.length > 0 ? { Mounts: options.mount } : {}),
    ...(given.has("init") ? { Init: options.init } : {}),
    ...(given.has("runtime") ? { Runtime: options.runtime } : {}),
  };
}

function portBindings(options: CreateOptions): Record<string, object[]> {
  const bindings: Record<string, object[]> = {};
  for (const { port, hostIp, hostPort } of options.publish.flat())
    (bindings[port] ??= []).push({ HostIp: hostIp, HostPort: hostPort });
  return bindings;
}

function consoleSize({ options, ports }: CreateCall): [number, number] {
  const size = options.tty && ports.terminal.stdoutIsTty ? ports.terminal.size() : null;
  return size === null ? [0, 0] : [size.rows, size.columns];
}

/** "net_admin" as the API spells it: "CAP_NET_ADMIN". */
function capability(text: string): string {
  const name = text.toUpperCase();
  return name === "ALL" || name === "RESET" || name.startsWith("CAP_") ? name : `CAP_${name}`;
}

function orNull<T>(list: readonly T[]): readonly T[] | null {
  return list.length === 0 ? null : list;
}

function checkHost(text: string): string {
  const at = text.search(/[:=]/);
  if (at <= 0) throw new Error(`bad format for add-host: ${JSON.stringify(text)}`);
  const [name, address] = [text.slice(0, at), text.slice(at + 1)];
  if (address !== "host-gateway" && !/^(\d{1,3}(\.\d{1,3}){3}|\[?[\da-f:.]*:[\da-f:.]*\]?)$/i.test(address))
    throw new Error(`invalid IP address in add-host: ${JSON.stringify(address)}`);
  return `${name}:${address.replace(/^\[(.*)\]$/, "$1")}`;
}
