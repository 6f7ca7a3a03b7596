/**
 * tsbox and docker in the simulated host's shell: the command line of cli/, its ports made of this
 * process's system calls.
 */
import { main } from "../cli/index.ts";
import { parseGlobals } from "../cli/globals.ts";
import { exchange, type Exchange, type Request } from "../cli/http-client.ts";
import type { CliPorts, Files, Terminal, Transport } from "../cli/ports.ts";
import { type ByteStream, encodeText } from "../core/base/bytes.ts";
import { TsboxError } from "../core/base/error.ts";
import type { Kernel } from "../backends/sim/kernel/kernel.ts";
import type { Fd, Program } from "../backends/sim/kernel/sys.ts";
import { connectionOf } from "./connection.ts";
import { socketPath } from "./daemon.ts";
import { EventLoop, isErrno, type Pause } from "./event-loop.ts";
import { treesOf } from "./local-trees.ts";
import { treeFiles } from "./tree-files.ts";

const [stdin, stdout, stderr] = [0, 1, 2];
const readBytes = 64 * 1024;
const windowChanged = 28;
const brokenPipe = 13;
/** What `docker run` passes on too: the numbers of the real-time-free signals (signal(7)). */
const proxied = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGUSR1: 10, SIGUSR2: 12, SIGTERM: 15 } as const;

export function client(kernel: Kernel, pause: Pause): Program {
  return (sys, argv, environment) => {
    const loop = new EventLoop(kernel, sys, pause);
    const variables = Object.fromEntries(environment.map(splitVariable));
    const words = argv.slice(1);
    return loop.run(async () => main(words, ports(loop, hostOf(words, variables), variables)));
  };
}

function splitVariable(variable: string): [string, string] {
  const at = variable.indexOf("=");
  return at < 0 ? [variable, ""] : [variable.slice(0, at), variable.slice(at + 1)];
}

/** What --host, TSBOX_HOST or DOCKER_HOST say; a wrong flag is the command line's to tell of. */
function hostOf(words: readonly string[], variables: Readonly<Record<string, string>>): string {
  const standard = variables["TSBOX_HOST"] || variables["DOCKER_HOST"] || `unix://${socketPath}`;
  try {
    return parseGlobals(words).host || standard;
  } catch {
    return standard;
  }
}

function ports(loop: EventLoop, host: string, environment: CliPorts["environment"]): CliPorts {
  return {
    transport: transport(loop, host),
    terminal: terminal(loop),
    files: files(loop),
    trees: treesOf(treeFiles(loop, streams(loop))),
    // The simulated host tells the time in UTC.
    time: { now: () => Number(loop.sys.now() / 1_000_000n), minutesEast: () => 0 },
    environment,
    credentialHelper: null,
    serveRegistry: null,
  };
}

function transport(loop: EventLoop, host: string): Transport {
  const send = async (request: Request): Promise<Exchange> =>
    exchange(connectionOf(loop, await connected(loop, host)), request);
  return {
    request: async (method, target, options = {}) => (await send({ method, target, ...options })).response,
    hijack: (method, target, options = {}) =>
      send({
        method,
        target,
        ...options,
        headers: { ...options.headers, connection: "Upgrade", upgrade: "tcp" },
      }),
  };
}

async function connected(loop: EventLoop, host: string): Promise<Fd> {
  const path = /^(?:unix:\/\/)?(\/.+)$/.exec(host)?.[1];
  if (path === undefined)
    throw new TsboxError("invalid", `unable to parse docker host \`${host}\`: expected unix:///path`);
  return loop.call(async (sys) => {
    const fd = sys.socket("unix");
    try {
      await sys.connect(fd, { family: "unix", path });
    } catch (thrown) {
      sys.close(fd);
      throw explained(thrown, host);
    }
    return loop.unblock(fd);
  });
}

function explained(thrown: unknown, host: string): unknown {
  if (isErrno(thrown, "EACCES"))
    return new TsboxError("forbidden", `permission denied while trying to connect to the tsbox daemon at ${host}`);
  if (isErrno(thrown, "ENOENT", "ECONNREFUSED", "ENOTSOCK"))
    return new TsboxError("unavailable", `Cannot connect to the tsbox daemon at ${host}. Is it running?`);
  return thrown;
}

function terminal(loop: EventLoop): Terminal {
  const { sys } = loop;
  return {
    stdinIsTty: sys.isTerminal(stdin),
    stdoutIsTty: sys.isTerminal(stdout),
    stdin: input(loop),
    stdout: (bytes) => print(loop, stdout, bytes),
    stderr: (bytes) => print(loop, stderr, bytes),
    size: () => (sys.isTerminal(stdout) ? sys.terminalSize(stdout) : null),
    onResize: (listener) => onSignals(loop, { SIGWINCH: windowChanged }, listener),
    raw: () => {
      const before = sys.terminalMode(stdin);
      sys.setTerminalMode(stdin, { canonical: false, echo: false, signals: false, newlines: false });
      return () => sys.setTerminalMode(stdin, before);
    },
    onSignal: (listener) => onSignals(loop, proxied, listener),
  };
}

async function* input(loop: EventLoop): ByteStream & AsyncGenerator<Uint8Array, void, undefined> {
  for (;;) {
    const bytes = await loop.read(stdin, readBytes);
    if (bytes.length === 0) return;
    yield bytes;
  }
}

/** When nobody reads any more the program ends as by SIGPIPE. */
async function print(loop: EventLoop, fd: Fd, bytes: Uint8Array | string): Promise<void> {
  try {
    await loop.write(fd, typeof bytes === "string" ? encodeText(bytes) : bytes);
  } catch (thrown) {
    if (!isErrno(thrown, "EPIPE")) throw thrown;
    await loop.call((sys) => sys.exit(128 + brokenPipe));
  }
}

function onSignals(
  { sys }: EventLoop,
  signals: Readonly<Record<string, number>>,
  listener: (name: string) => void,
): () => void {
  for (const [name, number] of Object.entries(signals)) sys.onSignal(number, () => listener(name));
  return () => {
    for (const number of Object.values(signals)) sys.onSignal(number, "default");
  };
}

function files(loop: EventLoop): Files {
  const resolve = (path: string): string =>
    path.startsWith("/") ? path : `${loop.sys.directory().replace(/\/$/, "")}/${path}`;
  return {
    read: (path) => readFile(loop, path),
    write: (path, bytes) => writeFile(loop, path, bytes),
    replace: (path, bytes) => replaceFile(loop, path, bytes),
    exists: (path) => loop.call((sys) => exists(() => sys.stat(path))),
    resolve,
  };
}

function exists(stat: () => unknown): boolean {
  try {
    stat();
    return true;
  } catch (thrown) {
    if (isErrno(thrown, "ENOENT", "ENOTDIR")) return false;
    throw thrown;
  }
}

async function* readFile(loop: EventLoop, path: string): ByteStream & AsyncGenerator<Uint8Array, void, undefined> {
  const fd = await loop.call((sys) => sys.open(path, { access: "read" }));
  try {
    for (;;) {
      const bytes = await loop.call((sys) => sys.read(fd, readBytes));
      if (bytes.length === 0) return;
      yield bytes;
    }
  } finally {
    await loop.call((sys) => sys.close(fd));
  }
}

function streams(loop: EventLoop): Parameters<typeof treeFiles>[1] {
  return {
    read: (path) => readFile(loop, path),
    write: (path, bytes, how) => writeFile(loop, path, bytes, how),
  };
}

async function writeFile(
  loop: EventLoop,
  path: string,
  bytes: ByteStream,
  { exclusive = false, mode = 0o666 } = {},
): Promise<void> {
  const options = { access: "write", create: true, exclusive, truncate: true, mode } as const;
  const fd = await loop.call((sys) => sys.open(path, options));
  try {
    for await (const chunk of bytes) await loop.call((sys) => sys.write(fd, chunk));
  } finally {
    await loop.call((sys) => sys.close(fd));
  }
}

/** Written beside it and renamed. */
async function replaceFile(loop: EventLoop, path: string, bytes: ByteStream): Promise<void> {
  const directory = path.slice(0, path.lastIndexOf("/"));
  await loop.call((sys) => {
    for (const parent of parentsOf(directory)) if (!exists(() => sys.stat(parent))) sys.makeDirectory(parent, 0o700);
  });
  await writeFile(loop, `${path}.new`, bytes);
  await loop.call((sys) => {
    sys.setAttributes(`${path}.new`, { mode: 0o600 });
    sys.rename(`${path}.new`, path);
  });
}

function parentsOf(directory: string): string[] {
  const names = directory.split("/").filter((name) => name !== "");
  return names.map((_name, at) => `/${names.slice(0, at + 1).join("/")}`);
}
