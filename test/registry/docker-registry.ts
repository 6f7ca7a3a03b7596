/** The oracle: distribution's own server, Debian's docker-registry, on loopback with its files on tmpfs. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { scratch } from "../../backends/linux/testing/scratch.ts";

export interface RunningRegistry {
  /** "127.0.0.1:PORT". */
  readonly host: string;
  readonly directory: string;
  stop(): Promise<void>;
}

/** Why there can be no oracle here; null when there can. */
export function dockerRegistryMissing(): string | null {
  return spawnSync("docker-registry", ["--version"]).status === 0 ? null : "docker-registry is not installed";
}

/** `auth`: lines of YAML beneath "auth:"; `files` are written beside the configuration, "DIR" stands for where. */
export async function startDockerRegistry(
  options: { auth?: readonly string[]; files?: Readonly<Record<string, string>>; within?: readonly string[] } = {},
): Promise<RunningRegistry> {
  const directory = scratch("registry");
  const port = await freePort();
  for (const [name, text] of Object.entries(options.files ?? {})) writeFileSync(join(directory, name), text);
  const config = [
    "version: 0.1",
    "log: { level: error, accesslog: { disabled: true } }",
    "storage:",
    `  filesystem: { rootdirectory: ${directory}/data }`,
    "  delete: { enabled: true }",
    `http: { addr: "127.0.0.1:${port}", headers: { X-Content-Type-Options: [nosniff] } }`,
    ...(options.auth === undefined
      ? []
      : ["auth:", ...options.auth.map((line) => `  ${line.replaceAll("DIR", directory)}`)]),
  ];
  writeFileSync(join(directory, "config.yml"), `${config.join("\n")}\n`);
  const [program = "docker-registry", ...before] = [...(options.within ?? []), "docker-registry"];
  const server = spawn(program, [...before, "serve", join(directory, "config.yml")], {
    stdio: "ignore",
    env: { PATH: process.env["PATH"], OTEL_TRACES_EXPORTER: "none" },
  });
  const stop = async (): Promise<void> => {
    await ended(server);
    rmSync(directory, { recursive: true, force: true });
  };
  if (options.within === undefined)
    await answering(`127.0.0.1:${port}`, server).catch(async (thrown: unknown) => {
      await stop();
      throw thrown;
    });
  return { host: `127.0.0.1:${port}`, directory, stop };
}

async function answering(host: string, server: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 100 && server.exitCode === null; tries++) {
    try {
      await fetch(`http://${host}/v2/`);
      return;
    } catch {
      await sleep(50);
    }
  }
  throw new Error(`docker-registry does not answer on ${host}`);
}

async function ended(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const gone = new Promise((resolve) => server.once("exit", resolve));
  server.kill("SIGTERM");
  await gone;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
