/**
 * The oracle: Docker's own daemon, in a network namespace of its own, with its files on tmpfs, its
 * containers' cgroups under one name. Whatever happens, `stop` leaves nothing of it behind.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { scratch } from "../../backends/linux/testing/scratch.ts";

export interface Daemon {
  /** DOCKER_HOST for its clients. */
  readonly host: string;
  stop(): Promise<void>;
}

export interface Dockerd extends Daemon {
  /** A command line's beginning that runs it in the daemon's network. */
  readonly within: readonly string[];
}

/** Why there can be no oracle here, null when there can. */
export function dockerdMissing(): string | null {
  if (process.getuid?.() !== 0) return "dockerd needs root";
  if (spawnSync("dockerd", ["--version"]).status !== 0) return "dockerd is not installed";
  return null;
}

export async function startDockerd(): Promise<Dockerd> {
  const directory = scratch("dockerd");
  const name = basename(directory);
  run("ip", ["netns", "add", name]);
  run("ip", ["-n", name, "link", "set", "lo", "up"]);
  const options = [
    `--data-root=${directory}/data`,
    `--exec-root=${directory}/exec`,
    `--pidfile=${directory}/pid`,
    `--host=unix://${directory}/s`,
    "--storage-driver=overlay2",
    `--cgroup-parent=/${name}`,
    "--exec-opt=native.cgroupdriver=cgroupfs",
    "--group=root",
  ];
  const daemon = spawn("nsenter", [`--net=/run/netns/${name}`, "dockerd", ...options], { stdio: "ignore" });
  const ended = new Promise<void>((resolve) => daemon.once("exit", () => resolve()));
  const stop = async () => {
    daemon.kill("SIGTERM");
    await ended;
    await cleanUp(directory);
  };
  await answering(`unix://${directory}/s`).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return { host: `unix://${directory}/s`, within: ["nsenter", `--net=/run/netns/${name}`], stop };
}

async function answering(host: string): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (spawnSync("docker", ["-H", host, "info"], { stdio: "ignore" }).status === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`dockerd does not answer on ${host}`);
}

/** Mounts below the directory, then the directory, the cgroups and the network namespace that have its name. */
async function cleanUp(directory: string): Promise<void> {
  const name = basename(directory);
  for (let tries = 0; tries < 20; tries++) {
    const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
    const ours = mounts.map((line) => line.split(" ")[1] ?? "").filter((path) => path.startsWith(`${directory}/`));
    for (const path of ours.toReversed()) spawnSync("umount", ["-l", path]);
    if (ours.length === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  rmSync(directory, { recursive: true, force: true });
  for (const controller of readdirSync("/sys/fs/cgroup")) removeCgroup(join("/sys/fs/cgroup", controller, name));
  run("ip", ["netns", "delete", name]);
}

function removeCgroup(path: string): void {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) removeCgroup(join(path, entry.name));
  rmdirSync(path);
}

function run(command: string, args: string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
}
