/** Running a whole command and timing it, from the fork to its end. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** Milliseconds. Throws when it fails: a quick failure is no result. */
export function timeCommand({ program, args, environment = {} }: Command): number {
  const started = process.hrtime.bigint();
  const { status, stderr, error } = spawnSync(program, args, {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...withoutCertificates(), ...environment },
  });
  const milliseconds = Number(process.hrtime.bigint() - started) / 1e6;
  if (status !== 0) throw error ?? new Error(`${program} ${args.join(" ")} failed (${status}): ${stderr.toString()}`);
  return milliseconds;
}

/** Node reads that file at each start, which is not ours to measure. */
function withoutCertificates(): NodeJS.ProcessEnv {
  const environment = { ...process.env };
  delete environment["NODE_EXTRA_CA_CERTS"];
  return environment;
}

export function onPath(program: string): boolean {
  return (process.env["PATH"] ?? "").split(":").some((directory) => existsSync(join(directory, program)));
}
