/**
 * The terminal that Node was started in. Its streams are opened when they are first used: each
 * costs about a millisecond, and `run --rm image true` needs none of them.
 */
import type { Terminal } from "../cli/ports.ts";
import { fileError } from "./file-error.ts";

/** What `docker run` passes on too and Node can catch. */
const proxied = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2"] as const;

export const nodeTerminal: Terminal = {
  get stdinIsTty() {
    return isTerminal(0);
  },
  get stdoutIsTty() {
    return isTerminal(1);
  },
  get stdin() {
    return process.stdin;
  },
  stdout: (bytes) => write(process.stdout, "/dev/stdout", bytes),
  stderr: (bytes) => write(process.stderr, "/dev/stderr", bytes),
  size: () => {
    if (!isTerminal(1)) return null;
    const { rows, columns } = process.stdout;
    return { rows, columns };
  },
  onResize: (listener) => {
    process.on("SIGWINCH", listener);
    return () => process.off("SIGWINCH", listener);
  },
  raw: () => {
    process.stdin.setRawMode(true);
    stopOutputProcessing();
    return () => process.stdin.setRawMode(false);
  },
  onSignal: (listener) => {
    for (const name of proxied) process.on(name, listener);
    return () => {
      for (const name of proxied) process.off(name, listener);
    };
  },
};

function isTerminal(descriptor: number): boolean {
  return process.getBuiltinModule("node:tty").isatty(descriptor);
}

/**
 * Node's raw mode leaves the terminal turning "\n" into "\r\n"; the container's own terminal has done
 * so already, and a full-screen program means its "\n". Leaving raw mode restores this too.
 */
function stopOutputProcessing(): void {
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  spawnSync("stty", ["-opost"], { stdio: ["inherit", "ignore", "ignore"] });
}

/** Resolves when the bytes were handed to the kernel. Nobody reads any more: we end as by SIGPIPE. */
function write(stream: NodeJS.WriteStream, name: string, bytes: Uint8Array | string): Promise<void> {
  return new Promise((done, fail) => {
    // Node tells of a failure by an event as well, which ends a program that does not listen.
    if (stream.listenerCount("error") === 0) stream.on("error", () => {});
    stream.write(bytes, (problem) => {
      if (problem == null) done();
      else if ("code" in problem && problem.code === "EPIPE") process.exit(128 + 13);
      else fail(fileError("write", name, problem));
    });
  });
}
