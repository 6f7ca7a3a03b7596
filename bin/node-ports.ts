/** The command line's ports on Node: a daemon's socket, the terminal, files, the environment. */
import { createReadStream, createWriteStream, existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { CliPorts, Files } from "../cli/ports.ts";
import { defaultHost } from "./default-host.ts";
import { nodeTerminal } from "./node-terminal.ts";
import { nodeTransport } from "./node-transport.ts";

const nodeFiles: Files = {
  read: (path) => createReadStream(path),
  write: async (path, bytes) => {
    const { pipeline } = await import("node:stream/promises");
    await pipeline(bytes, createWriteStream(path));
  },
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
    environment,
    credentialHelper: async (...asked) => (await import("./credential-helper.ts")).runCredentialHelper(...asked),
    serveRegistry: async (options) => (await import("./registry-serve.ts")).serveRegistry(options),
  };
}
