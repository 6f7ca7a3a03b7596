/**
 * `tsboxd --backend sim`: the simulated host of the page, in this process. Each client that connects is
 * carried onto the simulated tsboxd's socket, so what is asked is an input of the log as keys are. A
 * virtual second takes a real one. With a session directory the log is kept, and the next daemon lives
 * it again before it listens; without one the machine ends with the daemon.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import type { Api } from "../api/http.ts";
import { linuxPorts } from "../backends/linux/ports.ts";
import { InputLog } from "../backends/sim/input-log.ts";
import { real } from "../backends/sim/kernel/pace.ts";
import { TsboxError } from "../core/base/error.ts";
import type { RegistryDependencies } from "../core/engine/registry.ts";
import { embeddedImage } from "../core/image/embedded.ts";
import { startHost, type HostOptions, type SimulatedHost } from "../host/host.ts";
import { rootOf } from "../host/replay.ts";
import type { Activity } from "./http-server.ts";
import { forgottenSession, KeptSession, type SimSession } from "./sim-session.ts";
import { embeddedPath, type World } from "./world.ts";

export interface SimWorldOptions {
  readonly seed: number;
  readonly registry: Required<RegistryDependencies>;
  readonly watched: (api: Api) => Api;
  /** The directory in which the session is kept; undefined: nowhere. */
  readonly session: string | undefined;
  readonly activity: Activity;
}

const { clock, hasher } = linuxPorts;
const pause = (): Promise<void> => setImmediate();
/** Of the console, which nobody looks at. */
const size = { rows: 24, columns: 80 };

/** Resolves when tsboxd listens inside, and the session has been lived again. */
export async function openSimWorld(options: SimWorldOptions): Promise<World> {
  const session = openSession(options);
  const log = new InputLog({
    replay: session.entries,
    live: () => real(pause, clock, clock.now()),
    pause,
    sink: (entry) => session.add(entry),
  });
  const host = startHost({ ...machineOf(session, options), log });
  const lived = await livedAgain(host, log, session);
  const server = createServer({ allowHalfOpen: true });
  const clients = carryClients(server, host, options.activity);
  const close = async (): Promise<void> => {
    for (const client of clients) client.destroy();
    session.close();
  };
  return { engine: await host.engine, server, close, remark: lived };
}

function openSession({ seed, session, registry }: SimWorldOptions): SimSession {
  const head = { seed, now: String(clock.now()), size, registry: registry.config };
  return session === undefined ? forgottenSession(head) : KeptSession.open(session, head);
}

/** What is the machine's own: the same at every start of a session. */
function machineOf({ head }: SimSession, { registry, watched }: SimWorldOptions): Omit<HostOptions, "log"> {
  return {
    ...{ pause, hasher, embedded, watched, size: head.size, seed: head.seed, now: BigInt(head.now) },
    registry: { fetch: registry.fetch, config: head.registry },
    screen: () => Promise.resolve(),
    fileOf: () => new Uint8Array(0),
  };
}

function embedded(name: string): Promise<Uint8Array> | null {
  const image = embeddedImage(name);
  const path = image === null ? null : embeddedPath(image);
  return path !== null && existsSync(path) ? readFile(path) : null;
}

/** Says how much was lived again, and where that ended; "" for a machine that is new. */
async function livedAgain({ kernel }: SimulatedHost, log: InputLog, session: SimSession): Promise<string> {
  const same = await log.replayed;
  if (!same)
    throw new TsboxError(
      "corrupt",
      `the session in ${session.directory} went another way when it was lived again: it was recorded by another build of tsbox or is damaged; begin another one with --session DIRECTORY`,
    );
  const { length } = session.entries;
  return length === 0 ? "" : `${length} inputs lived again, state root ${rootOf(kernel, hasher)}`;
}

function carryClients(server: Server, host: SimulatedHost, activity: Activity): ReadonlySet<Socket> {
  const clients = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    const over = activity.begin();
    clients.add(socket);
    socket.once("close", () => {
      clients.delete(socket);
      over();
    });
    void carry(socket, host);
  });
  return clients;
}

async function carry(socket: Socket, host: SimulatedHost): Promise<void> {
  let isFinished = false;
  const connection = host.connect({
    receive: (bytes) =>
      new Promise((resolve) => {
        socket.write(bytes, () => resolve());
      }),
    finish: () => {
      isFinished = true;
      // All that is written reaches the client also when its own half is still open.
      socket.end(() => socket.destroy());
    },
  });
  socket.on("error", () => {}); // followed by "close"
  socket.once("close", () => {
    if (!isFinished) connection.close();
  });
  // Leaving off must not destroy the socket: it carries the answer.
  const input = socket.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>;
  try {
    for await (const chunk of input) await connection.send(new Uint8Array(chunk));
    if (!isFinished) connection.end();
  } catch {
    // The client went away: "close" tells.
  }
}
