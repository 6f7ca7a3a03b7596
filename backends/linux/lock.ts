/**
 * One engine per data root. The lock is a listening socket in the abstract namespace (unix(7)) named
 * after the data root's device and inode: binding it is atomic, and the kernel drops it with the
 * process, also at kill -9, so there is no stale lock. (Node has no flock(2), and a lock file would
 * need one.) Abstract names are per network namespace: engines in different ones are not kept apart.
 *
 * The holder tells its pid to whoever connects, so that the second engine can name it.
 */
import { statSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";
import type { HostPath } from "../../core/base/brand.ts";
import { TsboxError } from "../../core/base/error.ts";
import { failedWith } from "./errors.ts";

export interface Lock {
  release(): Promise<void>;
}

/** Throws TsboxError "conflict" when another engine has the data root. */
export async function lockDataRoot(dataRoot: HostPath): Promise<Lock> {
  const { dev, ino } = statSync(dataRoot);
  const name = `\0tsbox-data-root-${dev}-${ino}`;
  // Whoever connects and stays must not keep us from letting go of it.
  const tell = (socket: Socket): void => void socket.end(String(process.pid), () => socket.destroy());
  const server = createServer((socket) => tell(socket.on("error", () => {})));
  try {
    server.listen(name);
    await once(server, "listening");
  } catch (thrown) {
    if (!failedWith(thrown, "EADDRINUSE")) throw thrown;
    throw new TsboxError(
      "conflict",
      `the data root ${dataRoot} is in use by ${await holder(name)}: stop that one, or choose another with --data-root`,
    );
  }
  server.unref();
  return { release: () => close(server) };
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => void server.close(() => resolve()));
}

async function holder(name: string): Promise<string> {
  try {
    let pid = "";
    for await (const bytes of connect(name)) pid += String(bytes);
    return `another tsboxd (pid ${pid})`;
  } catch {
    return "another tsboxd";
  }
}
