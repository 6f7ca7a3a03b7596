/** The command line's ports on Node: a daemon's socket, the terminal, files, the environment. */
import { closeSync, createWriteStream, existsSync, openSync, readSync, writeSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { CliPorts, Files, LocalTrees } from "../cli/ports.ts";
import type { ByteStream } from "../core/base/bytes.ts";
import { defaultHost } from "./default-host.ts";
import { fileError } from "./file-error.ts";
import { nodeTerminal } from "./node-terminal.ts";
import { nodeTransport } from "./node-transport.ts";

const readBytes = 256 * 1024;

/** One buffer for all: a chunk is valid until the next is asked for. */
async function* fileContent(path: string): AsyncGenerator<Uint8Array, void, undefined> {
  const file = told("open", path, () => openSync(path, "r"));
  try {
    const buffer = Buffer.allocUnsafeSlow(readBytes);
    const read = (): number => told("read", path, () => readSync(file, buffer));
    for (let count = read(); count > 0; count = read()) yield buffer.subarray(0, count);
  } finally {
    closeSync(file);
  }
}

async function writeContent(path: string, bytes: ByteStream): Promise<void> {
  const file = told("open", path, () => openSync(path, "w"));
  const write = (chunk: Uint8Array, at: number): number => told("write", path, () => writeSync(file, chunk, at));
  try {
    for await (const chunk of bytes) for (let at = 0; at < chunk.length; ) at += write(chunk, at);
  } finally {
    closeSync(file);
  }
}

/** What goes wrong is said with the file's name. */
function told<T>(operation: string, path: string, act: () => T): T {
  try {
    return act();
  } catch (thrown) {
    throw fileError(operation, path, thrown);
  }
}

const nodeFiles: Files = {
  read: (path) => fileContent(path),
  write: writeContent,
  replace: async (path, bytes) => {
    const { mkdirSync, renameSync } = await import("node:fs");
    const { pipeline } = await import("node:stream/promises");
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const fresh = `${path}.${process.pid}.tmp`;
    await pipeline(bytes, createWriteStream(fresh, { mode: 0o600 }));
    renameSync(fresh, path);
  },
  exists: async (path) => existsSync(path),
  resolve: (path) => resolve(path),
};

/** Only `cp` pays for what it takes. */
const lazyTrees: LocalTrees = {
  kind: async (...asked) => (await import("./local-trees.ts")).localTrees.kind(...asked),
  pack: async function* (...asked) {
    yield* (await import("./local-trees.ts")).localTrees.pack(...asked);
  },
  unpack: async (...asked) => (await import("./local-trees.ts")).localTrees.unpack(...asked),
};

/** `host`: what --host said, "" when it was not given. */
export function nodePorts(host: string, environment: NodeJS.ProcessEnv): CliPorts {
  const asked = host || environment["TSBOX_HOST"] || environment["DOCKER_HOST"] || "";
  const standard = defaultHost(environment);
  return {
    transport: nodeTransport({
      host: asked || standard,
      onRefused: asked === "" ? async () => (await import("./start-daemon.ts")).startDaemon(standard) : null,
    }),
    terminal: nodeTerminal,
    files: nodeFiles,
    trees: lazyTrees,
    time: { now: () => Date.now(), minutesEast: (ms) => -new Date(ms).getTimezoneOffset() },
    environment,
    credentialHelper: async (...asked) => (await import("./credential-helper.ts")).runCredentialHelper(...asked),
    serveRegistry: async (options) => (await import("./registry-serve.ts")).serveRegistry(options),
  };
}
