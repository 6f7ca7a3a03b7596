/** tsboxd: the engine on this Linux machine, behind the Docker Engine API on a unix socket. */
import { createReadStream, existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError } from "commander";
import { createApi } from "../api/index.ts";
import { openLinuxMachine } from "../backends/linux/machine.ts";
import { linuxPorts } from "../backends/linux/ports.ts";
import type { ByteStream } from "../core/base/bytes.ts";
import { messageOf } from "../core/base/error.ts";
import { openEngine } from "../core/engine/open.ts";
import { logRequests } from "./debug-log.ts";
import { defaultHost, runDirectory } from "./default-host.ts";
import { defaultCgroupParent } from "../core/runtime/default-spec.ts";
import { createHttpServer } from "./http-server.ts";
import { Idle } from "./idle.ts";
import { listen, refuseTaken, socketPath } from "./listen.ts";
import { certificateDirectories, registryConfig, type RegistryFlags, standardConfigFile } from "./registry-config.ts";
import { registryFetch } from "./registry-fetch.ts";
import { systemInfo } from "./system-info.ts";

interface Options extends RegistryFlags {
  readonly host: string;
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly cgroupParent: string;
  readonly debug: boolean;
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

function listed(text: string, before: readonly string[]): readonly string[] {
  return [...before, text];
}

/** The images tsbox brings along, by name. */
function embedded(name: string): ByteStream | null {
  const path = fileURLToPath(new URL(`../dist/images/${name}.tar`, import.meta.url));
  return /^[a-z]+$/.test(name) && existsSync(path) ? createReadStream(path) : null;
}

function warn(message: string): void {
  process.stderr.write(`tsboxd: ${message}\n`);
}

async function main(options: Options): Promise<void> {
  const path = socketPath(options.host);
  await refuseTaken(path);
  const { dataRoot, debug, cgroupParent } = options;
  const machine = await openLinuxMachine({ dataRoot, runRoot: options.execRoot, cgroupParent });
  const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  const registry = {
    fetch: registryFetch({ environment: env, certificates: certificateDirectories }),
    config: registryConfig(options),
  };
  const engine = await openEngine({ machine, ports: linuxPorts, embedded, bootId, warn, registry });
  const system = systemInfo({ dataRoot, debug, storageDriver: machine.layers.name, clock: linuxPorts.clock });
  const api = createApi(engine, system);
  const idle = new Idle();
  const server = createHttpServer(debug ? logRequests(api) : api, idle);

  const end = () => {
    server.close();
    server.closeAllConnections();
    void engine.close().finally(() => process.exit(0));
  };
  process.once("SIGTERM", end).once("SIGINT", end);
  await listen(server, path);
  if (options.idleMinutes !== undefined) idle.watch(options.idleMinutes, engine, end);
  process.stdout.write(`tsboxd ${system.version} listens on ${options.host}\n`);
}

main(program.parse().opts<Options>()).catch((thrown: unknown) => {
  warn(messageOf(thrown));
  process.exit(1);
});
