/**
 * A proxy that spoils what passes: the answer to the n-th request is cut, slowed down or replaced, as
 * bytes on a TCP connection. Requests go through as they come, one connection each.
 */
import { createServer, connect, type Socket } from "node:net";
import { freePort } from "./docker-registry.ts";

export interface Fault {
  /** Which answers it spoils: by the request's first line. */
  readonly concerns: RegExp;
  /** How many of them, from the first; for ever if not given. */
  readonly times?: number;
  /** The answer ends after so many bytes of its head ("head") or of its body. */
  readonly cut?: { readonly part: "head" | "body"; readonly after: number; readonly reset: boolean };
  /** The answer comes in pieces of so many bytes. */
  readonly pieces?: number;
  /** What is sent in its place, whole. */
  readonly instead?: string;
}

export interface FaultyProxy {
  readonly host: string;
  fault: Fault | null;
  /** First lines of the requests so far. */
  readonly requests: string[];
  stop(): Promise<void>;
}

export async function startFaulty(target: string): Promise<FaultyProxy> {
  const [host = "", port = ""] = target.split(":");
  const sockets = new Set<Socket>();
  const own = await freePort();
  const server = createServer((client) => {
    const upstream = connect(Number(port), host);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => sockets.delete(socket));
    }
    pass(client, upstream, proxy);
  });
  const proxy: FaultyProxy = {
    host: `127.0.0.1:${own}`,
    fault: null,
    requests: [],
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  await new Promise<void>((resolve) => server.listen(own, "127.0.0.1", resolve));
  return proxy;
}

function pass(client: Socket, upstream: Socket, proxy: FaultyProxy): void {
  let fault: Fault | null = null;
  let seen = 0;
  client.on("data", (chunk: Buffer) => {
    const [line] = /^[A-Z]+ \S+ HTTP\/1\.1/.exec(chunk.toString("latin1", 0, 2000)) ?? [];
    if (line !== undefined) {
      proxy.requests.push(line);
      fault = taken(proxy, line);
      seen = 0;
    }
    upstream.write(chunk);
  });
  client.on("end", () => upstream.end());
  upstream.on("end", () => client.end());
  upstream.on("data", (chunk: Buffer) => {
    if (fault === null) client.write(chunk);
    else seen = spoil(client, chunk, seen, fault);
  });
}

/** The fault that this request meets; one that was only for some is used up. */
function taken(proxy: FaultyProxy, line: string): Fault | null {
  const { fault } = proxy;
  if (fault === null || !fault.concerns.test(line)) return null;
  const times = (fault.times ?? Number.POSITIVE_INFINITY) - 1;
  proxy.fault = times > 0 ? { ...fault, times } : null;
  return fault;
}

/** Returns how many bytes of the answer have been sent. */
function spoil(client: Socket, chunk: Buffer, seen: number, { cut, pieces, instead }: Fault): number {
  if (instead !== undefined) {
    client.end(instead);
    return 0;
  }
  if (cut !== undefined) {
    const head = seen === 0 ? chunk.indexOf("\r\n\r\n") + 4 : 0;
    const limit = cut.part === "head" ? cut.after : head + cut.after;
    client.write(chunk.subarray(0, Math.max(0, limit - seen)), () => {
      if (seen + chunk.length < limit) return;
      if (cut.reset) client.resetAndDestroy();
      else client.destroy();
    });
    return seen + chunk.length;
  }
  for (let at = 0; at < chunk.length; at += pieces ?? chunk.length)
    client.write(chunk.subarray(at, at + (pieces ?? chunk.length)));
  return seen + chunk.length;
}
