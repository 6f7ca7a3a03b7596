/** A tsboxd of the bench's own: other socket, other data root, gone afterwards. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { timeCommand } from "./command.ts";

export interface BenchEngine {
  /** Runs `bin/tsbox ARGS…` against it; milliseconds. */
  readonly tsbox: (...args: readonly string[]) => number;
  /** The daemon's. */
  readonly pid: number;
  readonly close: () => Promise<void>;
}

const checkout = fileURLToPath(new URL("..", import.meta.url));

/** `within`: a command line's beginning that runs what follows in another network. */
export async function openBenchEngine(directory: string, within: readonly string[] = []): Promise<BenchEngine> {
  const host = `unix://${directory}/tsbox.sock`;
  const args = [
    "--host",
    host,
    "--data-root",
    join(directory, "data"),
    "--exec-root",
    join(directory, "run"),
    "--cgroup-parent",
    basename(directory),
  ];
  const program = join(checkout, "bin/tsboxd");
  const [first = program, ...before] = [...within, program];
  const daemon = spawn(first, [...before, ...args], { stdio: ["ignore", "ignore", "inherit"] });
  const tsbox = (...command: readonly string[]): number =>
    timeCommand({ program: join(checkout, "bin/tsbox"), args: command, environment: { TSBOX_HOST: host } });
  await untilItAnswers(daemon, tsbox);
  return { tsbox, pid: daemon.pid ?? 0, close: () => end(daemon) };
}

async function untilItAnswers(daemon: ChildProcess, tsbox: BenchEngine["tsbox"]): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      tsbox("version");
      return;
    } catch (error) {
      if (daemon.exitCode !== null || tries > 50) throw error;
      await sleep(200);
    }
  }
}

async function end(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null) return;
  const gone = once(daemon, "exit");
  daemon.kill("SIGTERM");
  await gone;
}
