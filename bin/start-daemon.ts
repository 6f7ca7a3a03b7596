/**
 * Bringing up tsboxd for a client that found nobody at the default address. The daemon outlives
 * us and ends by itself after ten idle minutes; what it says goes to a log beside its socket.
 */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { TsboxError } from "../core/base/error.ts";
import { socketPath } from "./listen.ts";

const patienceMs = 20_000;
const pollMs = 25;

/** Resolves when it accepts connections. Throws TsboxError "unavailable" with its own words when it does not. */
export async function startDaemon(host: string): Promise<void> {
  const socket = socketPath(host);
  const log = join(dirname(socket), "tsbox", "tsboxd.log");
  mkdirSync(dirname(log), { recursive: true, mode: 0o700 });
  const ended = spawnDaemon(log);
  for (let waited = 0; waited < patienceMs; waited += pollMs) {
    if (await accepts(socket)) {
      process.stderr.write(`tsbox: started the daemon: tsboxd --idle-minutes 10 (log: ${log})\n`);
      return;
    }
    const reason = ended();
    if (reason !== null) throw new TsboxError("unavailable", `tsboxd did not start: ${reason}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  throw new TsboxError("unavailable", `tsboxd does not answer after ${patienceMs / 1000} seconds: see ${log}`);
}

/** Says how it has ended, null while it has not. */
function spawnDaemon(log: string): () => string | null {
  // The program that was started is bin/tsbox.ts or dist/tsbox.cjs; this file may be bundled anywhere.
  const launcher = join(dirname(process.argv[1] ?? ""), "../bin/tsboxd");
  const output = openSync(log, "w", 0o600);
  const daemon = spawn(launcher, ["--idle-minutes", "10"], {
    cwd: "/",
    detached: true,
    stdio: ["ignore", output, output],
  });
  closeSync(output);
  let ended: string | null = null;
  daemon.once("exit", (code, signal) => {
    ended = lastLine(log) || `it ended with ${signal ?? `exit code ${code}`}, see ${log}`;
  });
  daemon.once("error", (problem) => {
    ended = problem.message;
  });
  daemon.unref();
  return () => ended;
}

function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

function lastLine(log: string): string {
  return readFileSync(log, "utf8").trim().split("\n").at(-1) ?? "";
}
