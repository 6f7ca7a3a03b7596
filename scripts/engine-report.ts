/** Asks tsboxd over its unix socket and boils its answers down to what the page shows. */
import { request } from "node:http";
import type { CommandToTry, ContainerReport, EngineReport, HostReport, ImageReport } from "../web/playground/report.ts";

/** Where the engine listens, or why there can be none here. */
export interface EngineAddress {
  readonly socket: string;
  /** Why no engine can run on this machine, null when one can. */
  readonly absent: { readonly why: string; readonly remedy: string } | null;
  readonly commands: readonly CommandToTry[];
}

/** The fields we read of Docker's answers; anything else in them is left where it is. */
interface Version {
  readonly Version: string;
  readonly ApiVersion: string;
}

interface Info {
  readonly Name: string;
  readonly OperatingSystem: string;
  readonly KernelVersion: string;
  readonly Architecture: string;
  readonly NCPU: number;
  readonly MemTotal: number;
  readonly SecurityOptions: readonly string[] | null;
}

interface Container {
  readonly Id: string;
  readonly Names: readonly string[];
  readonly Image: string;
  readonly State: string;
  readonly Status: string;
}

interface Image {
  readonly Id: string;
  readonly RepoTags: readonly string[] | null;
  readonly Size: number;
}

interface TsboxInfo {
  readonly traits: {
    readonly cgroups: readonly { readonly version: number; readonly controllers: readonly string[] }[];
  };
}

export async function engineReport({ socket, absent, commands }: EngineAddress): Promise<EngineReport> {
  if (absent !== null) return { state: "absent", ...absent, commands: [] };
  try {
    const [version, info, tsbox, containers, images] = await Promise.all([
      get<Version>(socket, "/version"),
      get<Info>(socket, "/info"),
      get<TsboxInfo>(socket, "/tsbox/v1/info"),
      get<readonly Container[]>(socket, "/containers/json?all=1"),
      get<readonly Image[]>(socket, "/images/json"),
    ]);
    return {
      state: "running",
      version: version.Version,
      apiVersion: version.ApiVersion,
      host: hostReport(info, tsbox),
      containers: containers.map(containerReport),
      images: images.map(imageReport),
      commands,
    };
  } catch (error) {
    const why = `Nothing answers at ${socket}: ${error instanceof Error ? error.message : String(error)}.`;
    return {
      state: "absent",
      why,
      remedy: "stop npm start with Ctrl-C and start it again: it starts the engine, too",
      commands: [],
    };
  }
}

function hostReport(info: Info, { traits }: TsboxInfo): HostReport {
  return {
    name: info.Name,
    system: info.OperatingSystem,
    kernel: info.KernelVersion,
    architecture: info.Architecture,
    processors: info.NCPU,
    memoryBytes: info.MemTotal,
    cgroups: cgroupsInWords(traits.cgroups),
    seccomp: info.SecurityOptions?.some((option) => option.startsWith("name=seccomp")) ?? false,
  };
}

function cgroupsInWords(hierarchies: TsboxInfo["traits"]["cgroups"]): string {
  const has = (version: number): boolean => hierarchies.some((each) => each.version === version);
  if (has(1) && has(2)) return "version 1, with version 2 beside it (hybrid)";
  if (has(1)) return "version 1";
  return has(2) ? "version 2" : "none: limits cannot be enforced";
}

function containerReport({ Id, Names, Image: image, State, Status }: Container): ContainerReport {
  return { id: Id.slice(0, 12), name: Names[0]?.replace(/^\//, "") ?? "", image, state: State, status: Status };
}

function imageReport({ Id, RepoTags, Size }: Image): ImageReport {
  return { id: Id.replace(/^sha256:/, "").slice(0, 12), names: RepoTags ?? [], sizeBytes: Size };
}

/** Whether an engine answers there. */
export async function answers(socket: string): Promise<boolean> {
  return await get(socket, "/version").then(
    () => true,
    () => false,
  );
}

/** The JSON at a path. T is what Docker's API promises of it. */
function get<T>(socketPath: string, path: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const ask = request({ socketPath, path, timeout: 5000 }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        if (response.statusCode !== 200)
          reject(new Error(`GET ${path} answered ${response.statusCode}: ${text.trim()}`));
        else resolve(JSON.parse(text) as T);
      });
    });
    ask.on("timeout", () => ask.destroy(new Error(`GET ${path} was not answered in 5 s`)));
    ask.on("error", reject);
    ask.end();
  });
}
