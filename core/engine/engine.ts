/**
 * The engine as its callers see it: images, containers, events, the system. `api` translates these
 * to Docker's wire; nothing here knows of HTTP. Every method throws TsboxError for what a user can
 * cause. A `ref` is what a user typed: a name, a full id or an unambiguous beginning of one.
 */
import type { ByteStream } from "../base/bytes.ts";
import type { ContainerId, ExecId } from "../base/brand.ts";
import type { Config, HostConfig, RestartPolicy } from "../container/config.ts";
import type { Resources } from "../runtime/resources.ts";
import type { ProcessTable } from "../container/processes.ts";
import type { Usage } from "../container/usage.ts";
import type { ContainerRecord } from "../container/record.ts";
import type { Plan } from "../runtime/plan.ts";
import type { HostTraits } from "../runtime/traits.ts";
import type { ImageId } from "../image/digest.ts";
import type { Explanation } from "../image/explain.ts";
import type { Image, ListedImage, RemovedImage } from "../image/image.ts";
import type { Platform } from "../image/platform.ts";
import type { ImagesUsage } from "../image/usage.ts";
import type { Finding } from "./image-check.ts";
import type { Attachment, TaskExit, TreeStat } from "./machine.ts";
import type { Event, EventFilter } from "./events.ts";
import type { Registry } from "./registry.ts";
import type { Difference } from "../unionfs/diff.ts";
import type { Volume } from "../volume/volume.ts";

export interface Engine {
  readonly images: Images;
  readonly containers: Containers;
  readonly execs: Execs;
  readonly volumes: Volumes;
  readonly registry: Registry;
  readonly traits: HostTraits;
  /** Events from `since` (kept ones first), live until the iteration is left or `until` has passed. */
  events(filter: EventFilter): AsyncIterable<Event>;
  /** Lets go of the machine. Containers go on. */
  close(): Promise<void>;
}

export interface Images {
  /** Loads an image tar (docker save, OCI layout; plain, gzip or zstd); yields each image as it is in. */
  load(tar: ByteStream, options?: { readonly platform?: Platform | null }): AsyncIterable<LoadedImage>;
  list(): Promise<ListedImage[]>;
  /** Throws not-found `No such image: X`. */
  get(ref: string): Promise<Image>;
  tag(ref: string, name: string): Promise<void>;
  remove(ref: string, options: { force: boolean; prune: boolean }): Promise<RemovedImage[]>;
  /** The images as one archive, in Docker's layout and OCI's at once. Throws not-found before the first byte. */
  save(refs: readonly string[]): Promise<ByteStream>;
  /** Makes an image of a root file system's tar (plain, gzip or zstd). */
  import(tar: ByteStream, request: ImportRequest): Promise<Image>;
  prune(options: PruneOptions): Promise<Pruned>;
  usage(): Promise<ImagesUsage>;
  /** The ladder of digests from the name to the bytes. */
  explain(ref: string): Promise<Explanation>;
  /** Reads everything, and names what is damaged, missing or superfluous. */
  check(): AsyncIterable<Finding>;
}

export interface ImportRequest {
  /** "me/app:1"; null: the image gets no name. */
  readonly name: string | null;
  readonly message: string;
  /** Lines of a Dockerfile that change the configuration. */
  readonly changes: readonly string[];
  readonly platform: Platform | null;
}

export interface PruneOptions {
  /** Only images without a name; otherwise all that no container uses. */
  readonly dangling: boolean;
  readonly accepts: (image: ListedImage) => boolean;
}

export interface Pruned {
  readonly removed: readonly RemovedImage[];
  /** Of layers that are gone. */
  readonly reclaimedBytes: number;
}

export interface LoadedImage {
  readonly image: Image;
  /** The names the archive gave it, "busybox:latest"; empty: it has none. */
  readonly names: readonly string[];
  /** Those of the names that another image had until now. */
  readonly taken: readonly TakenName[];
}

export interface TakenName {
  readonly name: string;
  readonly from: ImageId;
}

export interface CreateRequest {
  /** "" or null: one is made up, adjective_surname. */
  readonly name: string | null;
  readonly platform: string | null;
  readonly config: Config;
  readonly hostConfig: HostConfig;
}

export interface UpdateRequest {
  /** 0 and "": as it is. */
  readonly resources: Resources;
  /** null: as it is. */
  readonly restartPolicy: RestartPolicy | null;
}

export type WaitCondition = "not-running" | "next-exit" | "removed";

export interface Containers {
  create(request: CreateRequest): Promise<{ id: ContainerId; warnings: string[] }>;
  /** Throws not-modified when it runs, cannot-start (data.exitCode 126 or 127) when the program cannot be executed. */
  start(ref: string): Promise<void>;
  /** Signals, waits, then kills. A negative timeout waits for ever; null takes the container's own. Throws not-modified when it does not run. */
  stop(ref: string, options: { timeoutSeconds: number | null; signal: string | null }): Promise<void>;
  restart(ref: string, options: { timeoutSeconds: number | null; signal: string | null }): Promise<void>;
  kill(ref: string, signal: string): Promise<void>;
  /** Changes limits, also of a running container, and the restart policy. */
  update(ref: string, request: UpdateRequest): Promise<void>;
  /** What it uses, of processor, memory, processes and disks: null when it does not run. */
  usage(ref: string): Promise<Usage | null>;
  /** Throws conflict when it does not run, or is paused already. */
  pause(ref: string): Promise<void>;
  /** Throws conflict when it is not paused. */
  unpause(ref: string): Promise<void>;
  /** Its processes as ps(1) with these options shows them on the host; "" is -ef. */
  top(ref: string, options: string): Promise<ProcessTable>;
  remove(ref: string, options: { force: boolean; volumes: boolean }): Promise<void>;
  rename(ref: string, name: string): Promise<void>;
  resize(ref: string, rows: number, columns: number): Promise<void>;
  /** All of them, newest first. */
  list(): Promise<ContainerRecord[]>;
  get(ref: string): Promise<ContainerRecord>;
  /** Registers the wait before it returns; `exit` resolves later. */
  wait(ref: string, condition: WaitCondition): Promise<{ exit: Promise<WaitResult> }>;
  /** Works on a container that is created and not started: output follows once it is. */
  attach(ref: string, options: { stdin: boolean; output: boolean; logs: boolean }): Promise<Attachment>;
  logs(ref: string, options: LogOptions): Promise<AsyncIterable<LogEntry>>;
  /** What the container wrote, added, changed and deleted paths, sorted. */
  diff(ref: string): Promise<Difference[]>;
  /** The container's files as a tar, without its mounts. Throws not-found at once, conflict with the first byte. */
  export(ref: string): ByteStream;
  /** What is at a path of the container. Throws not-found. */
  statPath(ref: string, path: string): Promise<PathStat>;
  /** A path and all beneath it as a tar. Throws not-found. */
  readArchive(ref: string, path: string): Promise<Archive>;
  /** Unpacks a tar in a directory. Throws not-found, invalid, forbidden (read-only). */
  writeArchive(ref: string, path: string, tar: ByteStream, options: WriteOptions): Promise<void>;
  /** The plan performed by the last start, or the one a start would perform now. */
  plan(ref: string): Promise<Plan>;
}

/** A symlink's target is where it leads to in the end, absolute. */
export interface PathStat extends TreeStat {
  /** The path's last component. */
  readonly name: string;
}

export interface Archive {
  readonly stat: PathStat;
  readonly tar: ByteStream;
}

export interface WriteOptions {
  /** A directory is not replaced by anything else, nor anything else by one. */
  readonly keepsKinds: boolean;
  /** What is written belongs to the container's user, not to whom the archive says. */
  readonly asUser: boolean;
}

export interface WaitResult {
  readonly code: number;
  /** Why the container that was to be removed still is there; null otherwise, also after a failed start: its code tells. */
  readonly error: string | null;
}

export interface LogOptions {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly follow: boolean;
  /** Nanoseconds since the epoch; null: no bound. */
  readonly since: bigint | null;
  readonly until: bigint | null;
  /** The last so many lines; null: all. */
  readonly tail: number | null;
}

export interface LogEntry {
  readonly stream: "stdout" | "stderr";
  readonly time: string;
  readonly bytes: Uint8Array;
}

export interface ExecRequest {
  readonly argv: readonly string[];
  readonly env: readonly string[];
  readonly user: string;
  readonly workingDir: string;
  readonly tty: boolean;
  readonly privileged: boolean;
  readonly attachStdin: boolean;
  readonly attachStdout: boolean;
  readonly attachStderr: boolean;
  readonly consoleSize: readonly [rows: number, columns: number];
}

export interface ExecState {
  readonly id: ExecId;
  readonly container: ContainerId;
  readonly request: ExecRequest;
  readonly running: boolean;
  readonly pid: number;
  readonly exit: TaskExit | null;
  /** Set when the program could not be executed: 126 or 127. */
  readonly failedCode: number | null;
}

export interface Execs {
  /** Throws conflict when the container does not run. */
  create(container: string, request: ExecRequest): Promise<ExecId>;
  /** Attached unless `detach`. Throws cannot-start as containers.start does. */
  start(id: string, options: { detach: boolean; rows: number; columns: number }): Promise<Attachment | null>;
  get(id: string): Promise<ExecState>;
  resize(id: string, rows: number, columns: number): Promise<void>;
}

export interface Volumes {
  list(): Promise<Volume[]>;
  get(name: string): Promise<Volume>;
  create(request: { name: string | null; labels: Readonly<Record<string, string>> }): Promise<Volume>;
  remove(name: string, options: { force: boolean }): Promise<void>;
}
