/**
 * The Docker Engine API over a unix socket or TCP. A connection whose answer has been read carries the next request:
 * making one costs a cold process a millisecond. node:http would do the same, but its client costs 13 ms of the 30 that
 * `tsbox run` takes beyond Node's own start, so cli/http-client.ts speaks the little HTTP/1.1 that a daemon's client needs.
 */
import { connect, type NetConnectOpts, type Socket } from "node:net";
import type { Transport } from "../cli/ports.ts";
import { TsboxError } from "../core/base/error.ts";
import { type Connection, exchange, type Request } from "../cli/http-client.ts";
import { connectionOf } from "./socket-connection.ts";

interface Target {
  readonly host: string;
  /** Starts the daemon and resolves when it listens; null when there is nothing to be done. */
  readonly onRefused: (() => Promise<void>) | null;
}

interface Line {
  readonly socket: Socket;
  readonly connection: Connection;
}

const ignore = (): void => {};

function lineOn(socket: Socket): Line {
  return { socket, connection: connectionOf(socket) };
}

/** Throws TsboxError "invalid" for an address that is none. */
export function nodeTransport({ host, onRefused }: Target): Transport {
  const address = parseAddress(host);
  let revive = onRefused;

  const open = async (): Promise<Socket> => {
    try {
      return await connected(address);
    } catch (thrown) {
      if (!isRefusal(thrown)) throw explained(thrown, host);
      if (revive === null) throw unreachableDaemon(host);
    }
    await revive();
    revive = null;
    return connected(address);
  };
  let idle: Line[] = [];
  let wanted = 0;
  const lineToUse = async (): Promise<Line> => {
    idle = idle.filter(({ socket }) => socket.readable && socket.writable);
    return idle.pop() ?? lineOn(await open());
  };
  /** Whoever needs a connection that could not be made learns why when it makes its own. */
  const makeWanted = (): void => {
    for (; wanted > 0; wanted--) connected(address).then((socket) => idle.push(lineOn(socket)), ignore);
  };
  const send = async (request: Request) => {
    const line = await lineToUse();
    const answer = exchange(line.connection, request, () => idle.push(line));
    makeWanted();
    return answer.catch((thrown: unknown) => {
      throw explained(thrown, host);
    });
  };
  return {
    prepare: (connections) => {
      wanted = connections;
    },
    request: async (method, target, options = {}) => (await send({ method, target, ...options })).response,
    hijack: (method, target, options = {}) => {
      const headers = { ...options.headers, connection: "Upgrade", upgrade: "tcp" };
      return send({ method, target, ...options, headers });
    },
  };
}

/** unix:///run/tsbox.sock, tcp://127.0.0.1:2375, http://127.0.0.1:2375. */
function parseAddress(host: string): NetConnectOpts {
  const path = /^(?:unix:\/\/)?(\/.+)$/.exec(host)?.[1];
  if (path !== undefined) return { path };
  const [, name, port = "2375"] = /^(?:tcp|http):\/\/(\[[\da-f:]+\]|[^:/]+)(?::(\d+))?\/?$/i.exec(host) ?? [];
  if (name === undefined)
    throw new TsboxError(
      "invalid",
      `unable to parse docker host \`${host}\`: expected unix:///path or tcp://host:port`,
    );
  return { host: name.replace(/^\[(.*)\]$/, "$1"), port: Number(port) };
}

function connected(address: NetConnectOpts): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ ...address, allowHalfOpen: true });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
  });
}

function codeOf(thrown: unknown): string {
  return thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
}

function isRefusal(thrown: unknown): boolean {
  return ["ENOENT", "ECONNREFUSED", "ENOTSOCK"].includes(codeOf(thrown));
}

function unreachableDaemon(host: string): TsboxError {
  return new TsboxError(
    "unavailable",
    `Cannot connect to the tsbox daemon at ${host}. Is it running? start it with: tsboxd`,
  );
}

function explained(thrown: unknown, host: string): unknown {
  if (codeOf(thrown) === "EACCES")
    return new TsboxError("forbidden", `permission denied while trying to connect to the tsbox daemon at ${host}`);
  if (["ECONNRESET", "EPIPE"].includes(codeOf(thrown)))
    return new TsboxError("unavailable", `the daemon at ${host} ended the connection: see its log`);
  return thrown;
}
