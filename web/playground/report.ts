/**
 * What the page knows of the engine beside it: `GET /engine.json`, answered by the page's own server. It holds what the
 * page shows and no more, since everybody with an account on the machine can ask for it.
 */
export type EngineReport = RunningEngine | AbsentEngine;

export interface RunningEngine {
  readonly state: "running";
  readonly version: string;
  /** The newest version of Docker's API it speaks, "1.50". */
  readonly apiVersion: string;
  readonly host: HostReport;
  /** Newest first. */
  readonly containers: readonly ContainerReport[];
  readonly images: readonly ImageReport[];
  readonly commands: readonly CommandToTry[];
}

/** No engine, and what to do about it. */
export interface AbsentEngine {
  readonly state: "absent";
  readonly why: string;
  readonly remedy: string;
  readonly commands: readonly CommandToTry[];
}

export interface HostReport {
  readonly name: string;
  /** "Debian GNU/Linux 12 (bookworm)" */
  readonly system: string;
  readonly kernel: string;
  readonly architecture: string;
  readonly processors: number;
  readonly memoryBytes: number;
  /** "version 2", "version 1 with a version 2 beside it", … */
  readonly cgroups: string;
  readonly seccomp: boolean;
}

export interface ContainerReport {
  /** The first twelve digits. */
  readonly id: string;
  readonly name: string;
  readonly image: string;
  /** "running", "exited", … */
  readonly state: string;
  /** "Up 3 seconds" */
  readonly status: string;
}

export interface ImageReport {
  readonly id: string;
  readonly names: readonly string[];
  readonly sizeBytes: number;
}

export interface CommandToTry {
  readonly command: string;
  /** What one sees by it. */
  readonly shows: string;
}
