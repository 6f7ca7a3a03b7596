/**
 * `npm start [-- --port N]`: builds what is missing, starts the engine when none answers, serves the page, says
 * what to try next, and stays until Ctrl-C. Then the page's server ends, and the engine if it was started here;
 * containers go on.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { answers, type EngineAddress, engineReport } from "./engine-report.ts";
import { servePage } from "./page-server.ts";

const checkout = fileURLToPath(new URL("..", import.meta.url));

try {
  await main();
} catch (error) {
  process.stderr.write(`tsbox: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { port: { type: "string", default: process.env["PORT"] ?? "8080" } } });
  const address = engineAddress();
  await buildEverything(address);
  const engine = address.absent === null ? await startEngine(address) : null;
  const page = await servePage(Number(values.port), () => engineReport(address));
  announce(page.url, address);
  await ended(engine);
  await page.close();
  await stopEngine(engine);
}

function engineAddress(): EngineAddress {
  const chosen = process.env["TSBOX_HOST"];
  const host = chosen ?? "unix:///run/tsbox.sock";
  const tsbox = chosen === undefined ? "bin/tsbox" : `TSBOX_HOST=${chosen} bin/tsbox`;
  const socket = /^unix:\/\/(\/.+)$/.exec(host)?.[1] ?? "";
  const docker = existsSync("/usr/bin/docker") || existsSync("/usr/local/bin/docker");
  return {
    socket,
    absent: whyNoEngine(socket, host),
    commands: [
      { command: `${tsbox} run hello`, shows: "A container that tells what it sees of its own isolation." },
      { command: `${tsbox} run --rm --explain hello`, shows: "The same, with every step the kernel was asked for." },
      docker
        ? { command: `docker -H ${host} ps -a`, shows: "The stock Docker client, talking to this engine." }
        : { command: `${tsbox} ps -a`, shows: "All containers, also those that have ended." },
    ],
  };
}

function whyNoEngine(socket: string, host: string): EngineAddress["absent"] {
  const here = "this page works here, real containers do not";
  if (process.platform !== "linux") {
    return {
      why: `Containers need a Linux kernel, and this is ${process.platform}: ${here}.`,
      remedy: "use a Linux machine or a virtual one",
    };
  }
  if (process.getuid?.() !== 0) {
    return { why: `Containers need root, and this is user ${process.getuid?.()}: ${here}.`, remedy: "sudo npm start" };
  }
  if (socket !== "") return null;
  return {
    why: `TSBOX_HOST is ${host}, which is no unix socket.`,
    remedy: "unset it, or give it as unix:///path/to/socket",
  };
}

/** The page is built in any case; the programs only where they can run. */
async function buildEverything({ absent }: EngineAddress): Promise<void> {
  const started = performance.now();
  await run(process.execPath, absent === null ? ["build.ts"] : ["build.ts", "images", "web"]);
  say(`built in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

async function run(program: string, args: readonly string[]): Promise<void> {
  const child = spawn(program, args, { cwd: checkout, stdio: ["ignore", "ignore", "inherit"] });
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) throw new Error(`${args.join(" ")} failed with exit code ${code ?? "of a signal"}: see above`);
}

/** The daemon started here, null when one was there already. */
async function startEngine({ socket }: EngineAddress): Promise<ChildProcess | null> {
  if (await answers(socket)) {
    say(`an engine answers at ${socket} already`);
    return null;
  }
  // In a process group of its own: Ctrl-C is for us, and we end the engine when the page is closed.
  const engine = spawn(join(checkout, "bin/tsboxd"), ["--host", `unix://${socket}`], {
    cwd: checkout,
    stdio: ["ignore", "ignore", "inherit"],
    detached: true,
  });
  // The page's server, vite, ends this process itself on SIGTERM: the engine must not outlive that either.
  process.once("exit", () => engine.kill("SIGTERM"));
  for (let waitedMs = 0; !(await answers(socket)); waitedMs += 100) {
    if (engine.exitCode !== null) throw new Error("the engine did not start: see above");
    if (waitedMs > 20_000) throw new Error("the engine did not answer within 20 s");
    await sleep(100);
  }
  return engine;
}

function announce(url: string, { socket, absent, commands }: EngineAddress): void {
  say(absent === null ? `the engine listens on unix://${socket}` : `${absent.why} What to do: ${absent.remedy}`);
  say(`the page: ${url}`);
  if (absent === null) {
    const width = Math.max(...commands.map(({ command }) => command.length));
    const lines = commands.map(({ command, shows }) => `    ${command.padEnd(width)}   # ${shows}`);
    process.stdout.write(`\nTry, in another terminal:\n\n${lines.join("\n")}\n\n`);
  }
  say("Ctrl-C ends this; containers go on");
}

/** Resolves when somebody wants us to end, or the engine has ended by itself. */
async function ended(engine: ChildProcess | null): Promise<void> {
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"].map((signal) => once(process, signal));
  const died = engine === null ? [] : [once(engine, "exit").then(() => say("the engine has ended"))];
  await Promise.race([...signals, ...died]);
}

async function stopEngine(engine: ChildProcess | null): Promise<void> {
  if (engine === null || engine.exitCode !== null || engine.signalCode !== null) return;
  const gone = once(engine, "exit");
  engine.kill("SIGTERM");
  await gone;
}

function say(line: string): void {
  process.stdout.write(`tsbox: ${line}\n`);
}
