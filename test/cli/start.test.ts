/** `npm start` as a whole: what it started ends with it, by Ctrl-C and by SIGTERM. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { scratch } from "../../backends/linux/testing/scratch.ts";

const script = fileURLToPath(new URL("../../scripts/start.ts", import.meta.url));
const skip = process.platform === "linux" && process.getuid?.() === 0 ? false : "the engine needs Linux and root";

/** One that is free at this moment. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** The daemons whose command line names the socket. */
function daemonOf(socket: string, pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
  return children.filter((child) => child > 0 && readFileSync(`/proc/${child}/cmdline`, "utf8").includes(socket));
}

for (const signal of ["SIGINT", "SIGTERM"] as const)
  test(`${signal} ends the page and the engine that was started with it`, { skip, timeout: 120_000 }, async () => {
    const directory = scratch("start");
    const socket = join(directory, "s");
    const environment = {
      ...process.env,
      TSBOX_HOST: `unix://${socket}`,
      TSBOX_DATA_ROOT: join(directory, "data"),
      TSBOX_RUN_DIR: join(directory, "run"),
    };
    // Who is started in the background of a script ignores SIGINT, and so do all it starts.
    const listening = ["--default-signal=INT", process.execPath, script, "--port", String(await freePort())];
    const started = spawn("env", listening, {
      env: environment,
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      for await (const line of createInterface(started.stdout)) if (line.includes("Ctrl-C ends this")) break;
      const [daemon = 0] = daemonOf(socket, started.pid ?? 0);
      assert.ok(daemon > 0, "it started an engine");
      const ended = once(started, "exit");
      started.kill(signal);
      await ended;
      while (existsSync(`/proc/${daemon}`)) await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(existsSync(socket), false);
    } finally {
      started.kill("SIGKILL");
      rmSync(directory, { recursive: true, force: true });
    }
  });
