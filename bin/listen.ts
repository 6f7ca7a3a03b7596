/** Listening on a unix socket that only its owner may use, in place of one whose daemon is gone. */
import { chmodSync, lstatSync, mkdirSync, rmSync } from "node:fs";
import { connect, type Server } from "node:net";

import { dirname } from "node:path";

/** The path of "unix:///run/tsbox.sock". Throws for any other kind of address. */
export function socketPath(host: string): string {
  const path = /^unix:\/\/(\/.+)$/.exec(host)?.[1];
  if (path === undefined) throw new Error(`cannot listen on ${host}: expected unix:// and an absolute path`);
  return path;
}

/** Throws when another daemon answers there: to be asked before anything is opened or made. */
export async function refuseTaken(path: string): Promise<void> {
  if (await answers(path)) throw new Error(`cannot listen on ${path}: another daemon answers there`);
}

/** Resolves when clients can connect. Throws when another daemon answers there. */
export async function listen(server: Server, path: string): Promise<void> {
  await refuseTaken(path);
  removeStale(path);
  mkdirSync(dirname(path), { recursive: true });
  // The socket is born private: chmod afterwards would leave a moment in which anybody may connect.
  const umask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, resolve);
    });
  } finally {
    process.umask(umask);
  }
  chmodSync(path, 0o600);
}

/** Only a socket is ever replaced, whatever the address says. */
function removeStale(path: string): void {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined) return;
  if (!there.isSocket()) throw new Error(`cannot listen on ${path}: there is a file that is not a socket`);
  rmSync(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
