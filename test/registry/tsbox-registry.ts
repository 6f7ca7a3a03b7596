/** Our own registry as a program, and the recorder before a registry, each in a network of one's choice. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { scratch } from "../../backends/linux/testing/scratch.ts";
import { freePort, type RunningRegistry } from "./docker-registry.ts";

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** `tsbox registry serve` from the sources. */
export async function startTsboxRegistry(
  options: { within?: readonly string[]; flags?: readonly string[] } = {},
): Promise<RunningRegistry> {
  const directory = scratch("registry");
  const host = `127.0.0.1:${await freePort()}`;
  const args = ["registry", "serve", "--address", host, "--data", join(directory, "data"), ...(options.flags ?? [])];
  const server = await started(options.within ?? [], [path("../../bin/tsbox.ts"), ...args]);
  const stop = async (): Promise<void> => {
    await ended(server);
    rmSync(directory, { recursive: true, force: true });
  };
  return { host, directory, stop };
}

export interface Note {
  readonly request: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Recorder {
  readonly host: string;
  /** What was asked and answered so far; then it is forgotten. */
  notes(): Note[];
  stop(): Promise<void>;
}

export async function startRecorder(
  target: string,
  options: { within?: readonly string[]; port?: number } = {},
): Promise<Recorder> {
  const directory = scratch("recorder");
  const port = options.port ?? (await freePort());
  const file = join(directory, "notes");
  const server = await started(options.within ?? [], [path("recorder.ts"), String(port), target, file]);
  const notes = (): Note[] => {
    if (!existsSync(file)) return [];
    const lines = readFileSync(file, "utf8").trim().split("\n");
    rmSync(file);
    return lines.map((line) => JSON.parse(line) as Note);
  };
  const stop = async (): Promise<void> => {
    await ended(server);
    rmSync(directory, { recursive: true, force: true });
  };
  return { host: `127.0.0.1:${port}`, notes, stop };
}

/** Resolves at the program's first line. */
async function started(within: readonly string[], script: readonly string[]): Promise<ChildProcess> {
  const [program = process.execPath, ...args] = [...within, process.execPath, ...script];
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  const gone = new Promise<never>((_, reject) =>
    child.once("exit", (code) => reject(new Error(`${script.join(" ")} ended with ${code}`))),
  );
  await Promise.race([new Promise<void>((ready) => createInterface(child.stdout).once("line", () => ready())), gone]);
  gone.catch(() => {});
  return child;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await gone;
}
