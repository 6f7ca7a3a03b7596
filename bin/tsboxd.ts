/** tsboxd: the engine on this Linux machine, or on a simulated one, behind the Docker Engine API on a unix socket. */
import { Command, InvalidArgumentError, Option } from "commander";
import type { Api } from "../api/http.ts";
import { messageOf } from "../core/base/error.ts";
import { version } from "../cli/version.ts";
import { logRequests } from "./debug-log.ts";
import { defaultHost, runDirectory } from "./default-host.ts";
import { defaultCgroupParent } from "../core/runtime/default-spec.ts";
import { Idle } from "./idle.ts";
import { listen, refuseTaken, socketPath } from "./listen.ts";
import { certificateDirectories, registryConfig, type RegistryFlags, standardConfigFile } from "./registry-config.ts";
import { registryFetch } from "./registry-fetch.ts";
import { openLinuxWorld, type World } from "./world.ts";

interface Options extends RegistryFlags {
  readonly host: string;
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly cgroupParent: string;
  readonly debug: boolean;
  readonly backend: "linux" | "sim";
  readonly seed: number;
  readonly session?: string;
  readonly idleMinutes?: number;
}

const { env } = process;
const dataDirectory =
  process.getuid?.() === 0 ? "/var/lib" : (env["XDG_DATA_HOME"] ?? `${env["HOME"] ?? ""}/.local/share`);

const program = new Command("tsboxd")
  .description("the tsbox engine, behind the Docker Engine API")
  .option("-H, --host <address>", "where to listen", env["TSBOX_HOST"] ?? defaultHost(env))
  .option("--data-root <directory>", "images, containers, volumes", env["TSBOX_DATA_ROOT"] ?? `${dataDirectory}/tsbox`)
  .option("--exec-root <directory>", "the state of what runs", env["TSBOX_RUN_DIR"] ?? `${runDirectory(env)}/tsbox`)
  .option("--cgroup-parent <name>", "where containers' cgroups are made", defaultCgroupParent)
  .addOption(
    new Option("--backend <world>", "this machine, or a simulated one in memory")
      .choices(["linux", "sim"])
      .default("linux"),
  )
  .option("--seed <number>", "of the simulated machine's chance", seedOf, 1)
  .option("--session <directory>", "of the simulated machine: kept there, and lived again at the next start")
  .option("--idle-minutes <minutes>", "end after so long without requests and running containers", positive)
  .option("--config-file <file>", "about registries, in the form of Docker's daemon.json", standardConfigFile)
  .option("--registry-mirror <url>", "ask it before Docker Hub; may be repeated", listed, [])
  .option("--insecure-registry <host>", "a registry that may be spoken to without TLS; may be repeated", listed, [])
  .option("-D, --debug", "print every request", false);

function positive(text: string): number {
  const minutes = Number(text);
  if (!(minutes > 0)) throw new InvalidArgumentError("expected a number above 0");
  return minutes;
}

function seedOf(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("expected a whole number");
  return Number(text);
}

function listed(text: string, before: readonly string[]): readonly string[] {
  return [...before, text];
}

function warn(message: string): void {
  process.stderr.write(`tsboxd: ${message}\n`);
}

/** The simulated machine's modules are loaded when it is asked for only. */
async function openWorld(options: Options, activity: Idle): Promise<World> {
  const { backend, debug, seed, session } = options;
  if (backend === "linux" && session !== undefined)
    throw new Error("--session is for --backend sim: this machine's containers are kept under --data-root");
  const fetch = registryFetch({ environment: env, certificates: certificateDirectories });
  const registry = { fetch, config: registryConfig(options) };
  const watched = debug ? logRequests : (api: Api): Api => api;
  if (backend === "linux") return openLinuxWorld({ ...options, registry, watched, activity, warn });
  const { openSimWorld } = await import("./sim-world.ts");
  return openSimWorld({ seed, session, registry, watched, activity });
}

async function main(options: Options): Promise<void> {
  const path = socketPath(options.host);
  await refuseTaken(path);
  const idle = new Idle();
  const { engine, server, remark, close } = await openWorld(options, idle);
  const end = () => {
    server.close();
    void close().finally(() => process.exit(0));
  };
  process.once("SIGTERM", end).once("SIGINT", end);
  await listen(server, path);
  if (options.idleMinutes !== undefined) idle.watch(options.idleMinutes, engine, end);
  process.stdout.write(`tsboxd ${version} listens on ${options.host}${remark === "" ? "" : `; ${remark}`}\n`);
}

main(program.parse().opts<Options>()).catch((thrown: unknown) => {
  warn(messageOf(thrown));
  process.exit(1);
});
