/** One run of the command line in this process, on a transport of the caller's choice. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { main } from "../../cli/index.ts";
import type { CliPorts, Transport } from "../../cli/ports.ts";
import { streamOf } from "../../core/base/bytes.ts";

export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** Without a terminal, as in a script. */
export async function runClient(argv: readonly string[], transport: Transport, stdin: string): Promise<Outcome> {
  const written = { stdout: "", stderr: "" };
  const decoder = new TextDecoder();
  const writer = (name: keyof typeof written) => async (bytes: Uint8Array | string) => {
    written[name] += typeof bytes === "string" ? bytes : decoder.decode(bytes);
  };
  const nothing = () => () => undefined;
  const ports: CliPorts = {
    transport,
    terminal: {
      stdinIsTty: false,
      stdoutIsTty: false,
      stdin: streamOf(new TextEncoder().encode(stdin)),
      stdout: writer("stdout"),
      stderr: writer("stderr"),
      size: () => null,
      onResize: nothing,
      raw: nothing,
      onSignal: nothing,
    },
    files: {
      read: () => streamOf(),
      write: async () => undefined,
      replace: async () => undefined,
      exists: async (path) => existsSync(path),
      resolve: (path) => resolve(path),
    },
    trees: null,
    time: { now: () => Date.now(), minutesEast: (ms) => -new Date(ms).getTimezoneOffset() },
    environment: {},
    credentialHelper: null,
    serveRegistry: null,
  };
  const exitCode = await main(argv, ports);
  return { ...written, exitCode };
}
