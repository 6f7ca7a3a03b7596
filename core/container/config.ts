/**
 * What a container is asked to be: the program's side (Config) and the host's side (HostConfig).
 * The two follow the Docker API's Config and HostConfig, in our names and with units, and hold
 * only what tsbox acts on or must give back.
 */
import type { ContainerPath, HostPath } from "../base/brand.ts";
import type { Resources, Ulimit } from "../runtime/resources.ts";

export interface Config {
  readonly hostname: string;
  readonly domainname: string;
  /** "user", "uid", "user:group", "uid:gid"; "" is root. */
  readonly user: string;
  readonly attachStdin: boolean;
  readonly attachStdout: boolean;
  readonly attachStderr: boolean;
  readonly openStdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  readonly env: readonly string[];
  /** null: unset, so the image's holds. */
  readonly entrypoint: readonly string[] | null;
  readonly cmd: readonly string[] | null;
  /** The image as the user named it. */
  readonly image: string;
  readonly workingDir: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Paths that get an anonymous volume. */
  readonly volumes: readonly ContainerPath[];
  readonly exposedPorts: readonly string[];
  readonly stopSignal: string | null;
  readonly stopTimeoutSeconds: number | null;
}

export interface RestartPolicy {
  readonly name: "no" | "always" | "unless-stopped" | "on-failure";
  readonly maximumRetryCount: number;
}

export interface MountRequest {
  readonly kind: "bind" | "volume" | "tmpfs";
  /** A host path for bind, a volume's name for volume ("" makes an anonymous one), "" for tmpfs. */
  readonly source: string;
  readonly target: ContainerPath;
  readonly readonly: boolean;
  readonly propagation: string;
  /** Make a missing host directory: `-v` does, `--mount` does not. */
  readonly createSource: boolean;
  /** Of tmpfs, "size=64m,mode=1777"; of volumes, "nocopy". */
  readonly options: string;
}

export interface DeviceRequest {
  readonly host: HostPath;
  readonly container: ContainerPath;
  readonly permissions: string;
}

export interface HostConfig {
  /** As asked: "default", "none", "host", … */
  readonly networkMode: string;
  readonly autoRemove: boolean;
  readonly privileged: boolean;
  readonly readonlyRootfs: boolean;
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly securityOpt: readonly string[];
  readonly mounts: readonly MountRequest[];
  /** `-v` strings exactly as asked: inspect gives them back. */
  readonly binds: readonly string[];
  readonly resources: Resources;
  readonly restartPolicy: RestartPolicy;
  readonly ulimits: readonly Ulimit[];
  readonly devices: readonly DeviceRequest[];
  readonly groupAdd: readonly string[];
  readonly extraHosts: readonly string[];
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOptions: readonly string[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly shmSizeBytes: number;
  readonly oomScoreAdj: number;
  readonly init: boolean;
  /** "", "host" or "private": a user namespace of its own. */
  readonly usernsMode: string;
  /** "", "private", "host" or "container:<id>". */
  readonly pidMode: string;
  readonly ipcMode: string;
  readonly utsMode: string;
  readonly cgroupnsMode: string;
  readonly cgroupParent: string;
  readonly consoleSize: readonly [rows: number, columns: number];
  /** Log options, json-file's "max-size" and "max-file". */
  readonly logOptions: Readonly<Record<string, string>>;
}
