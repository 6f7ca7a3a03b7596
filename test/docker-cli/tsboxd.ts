/** Our daemon from the sources, on roots of its own on tmpfs. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { scratch } from "../../backends/linux/testing/scratch.ts";
import type { Daemon } from "./dockerd.ts";

const program = fileURLToPath(new URL("../../bin/tsboxd.ts", import.meta.url));

export interface Tsboxd extends Daemon {
  readonly directory: string;
  /** Of the daemon that runs now. */
  readonly pid: number;
  /** What it said when it listened. */
  readonly remark: string;
  /** Ends the daemon as a crash would; `start` brings the next one up on the same roots. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

export interface Choices {
  /** The data root is a file system of its own that holds so much, "12m". */
  readonly dataSize?: string;
  readonly flags?: readonly string[];
}

export async function startTsboxd({ dataSize, flags = [] }: Choices = {}): Promise<Tsboxd> {
  const directory = scratch("cli");
  if (dataSize !== undefined) mountData(join(directory, "data"), dataSize);
  const host = `unix://${directory}/s`;
  const options = [
    "--host",
    host,
    "--data-root",
    join(directory, "data"),
    "--exec-root",
    join(directory, "run"),
    "--cgroup-parent",
    basename(directory),
    ...flags,
  ];
  let pid = 0;
  let remark = "";
  let end: (signal: NodeJS.Signals) => Promise<void> = () => Promise.resolve();
  const start = async () => {
    const daemon = spawn(process.execPath, [program, ...options], { stdio: ["ignore", "pipe", "inherit"] });
    pid = daemon.pid ?? 0;
    const ended = new Promise<void>((resolve) => daemon.once("exit", () => resolve()));
    end = async (signal) => {
      daemon.kill(signal);
      await ended;
    };
    const ready = new Promise<string>((resolve) => createInterface(daemon.stdout).once("line", resolve));
    const early = ended.then(() => Promise.reject(new Error("tsboxd ended before it listened")));
    remark = await Promise.race([ready, early]);
  };
  await start();
  const stop = async () => {
    removeAll(host);
    await end("SIGTERM");
    if (dataSize !== undefined) execFileSync("umount", [join(directory, "data")]);
    rmSync(directory, { recursive: true, force: true });
  };
  return {
    host,
    directory,
    get pid() {
      return pid;
    },
    get remark() {
      return remark;
    },
    start,
    kill: () => end("SIGKILL"),
    stop,
  };
}

function mountData(path: string, size: string): void {
  mkdirSync(path);
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path]);
}

/** A test that failed half-way leaves containers: they must not outlive it. */
function removeAll(host: string): void {
  const { stdout } = spawnSync("docker", ["-H", host, "ps", "-aq"], { encoding: "utf8" });
  const ids = stdout.split("\n").filter((id) => id !== "");
  if (ids.length > 0) spawnSync("docker", ["-H", host, "rm", "-f", "-v", ...ids]);
}
