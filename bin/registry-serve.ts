/** `tsbox registry serve`: core's registry behind node:http or node:https, on a directory or in memory. */
import { readFileSync } from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import { isIP } from "node:net";
import { compare, hash } from "bcryptjs";
import { LinuxDisk } from "../backends/linux/disk.ts";
import { linuxPorts } from "../backends/linux/ports.ts";
import type { RegistryService } from "../cli/ports.ts";
import type { HostPath } from "../core/base/brand.ts";
import { TsboxError } from "../core/base/error.ts";
import { isLoopback } from "../core/image/registry/endpoints.ts";
import type { Fetch, HttpRequest } from "../core/image/registry/http.ts";
import { memoryDisk } from "../core/image/registry/memory-disk.ts";
import { basicAuth, type RegistryAuth } from "../core/image/registry/server-auth.ts";
import { RegistryStore } from "../core/image/registry/server-store.ts";
import { registryServer } from "../core/image/registry/server.ts";

/** Resolves when it listens. Throws TsboxError "invalid" for what was asked wrongly. */
export const serveRegistry: RegistryService = async (options) => {
  const [host, port] = parseAddress(options.address);
  const { directory } = options;
  const disk = directory === "" ? memoryDisk() : new LinuxDisk(directory as HostPath, directory as HostPath);
  const answer = registryServer({
    store: await RegistryStore.open(disk, directory === "" ? "/registry" : directory),
    hasher: linuxPorts.hasher,
    random: linuxPorts.random,
    auth: options.htpasswd === "" ? null : passwordAuth(options.htpasswd),
    deletes: options.deletes,
  });
  const tls = tlsOf(options.certificate, options.key);
  const server = tls === null ? http.createServer() : https.createServer(tls);
  // An upload takes as long as it takes.
  server.requestTimeout = 0;
  carry(server, answer, tls === null ? "http" : "https");
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const bound = server.address();
  const actual = typeof bound === "object" && bound !== null ? bound.port : port;
  const end = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { address: `${isIP(host) === 6 ? `[${host}]` : host}:${actual}`, isPrivate: isLoopback(host), end };
};

function parseAddress(text: string): [host: string, port: number] {
  const [, bracketed, plain, port = ""] = /^(?:\[([\da-f:]+)\]|([^:[\]]*)):(\d{1,5})$/i.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) > 65_535)
    throw new TsboxError("invalid", `invalid address ${JSON.stringify(text)}: expected HOST:PORT, as 127.0.0.1:5000`);
  return [host === "" ? "0.0.0.0" : host, Number(port)];
}

function tlsOf(certificate: string, key: string): https.ServerOptions | null {
  if ((certificate === "") !== (key === ""))
    throw new TsboxError("invalid", "--tls-cert and --tls-key go together: give both or none");
  return certificate === "" ? null : { cert: readFileSync(certificate), key: readFileSync(key) };
}

/** Lines of NAME:BCRYPT, as `htpasswd -B` writes them. */
function passwordAuth(file: string): RegistryAuth {
  const lines = readFileSync(file, "utf8").split("\n");
  const hashes = new Map(
    lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]),
  );
  for (const [name, each] of hashes)
    if (name !== "" && !/^\$2[aby]\$/.test(each))
      throw new TsboxError("invalid", `${file}: the password of ${name} is not bcrypt; make it with: htpasswd -B`);
  // Somebody who is not known costs as much time as somebody who is.
  const nobody = hash("nobody", 10);
  return basicAuth("tsbox registry", async (user, password) => {
    const known = user === "" ? undefined : hashes.get(user);
    return (await compare(password, known ?? (await nobody))) && known !== undefined;
  });
}

/** Puts a Fetch behind a node server. */
export function carry(server: http.Server | https.Server, answer: Fetch, scheme: "http" | "https"): void {
  server.on("request", (incoming: http.IncomingMessage, outgoing: http.ServerResponse) => {
    serve(answer, scheme, incoming, outgoing).catch(() => outgoing.destroy());
  });
}

async function serve(
  answer: Fetch,
  scheme: string,
  incoming: http.IncomingMessage,
  outgoing: http.ServerResponse,
): Promise<void> {
  const { status, headers, body } = await answer(requestOf(incoming, scheme));
  outgoing.writeHead(status, headers);
  for await (const chunk of body) {
    if (outgoing.destroyed) return;
    if (!outgoing.write(chunk)) await drained(outgoing);
  }
  outgoing.end();
  incoming.resume();
}

function requestOf(incoming: http.IncomingMessage, scheme: string): HttpRequest {
  const host = incoming.headers.host ?? "localhost";
  return {
    method: incoming.method as HttpRequest["method"],
    url: `${scheme}://${host}${incoming.url ?? "/"}`,
    headers: incoming.headers as Readonly<Record<string, string>>,
    // Leaving the body early must not end the connection: it carries the answer.
    body: incoming.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>,
    insecure: false,
    signal: null,
  };
}

function drained(outgoing: http.ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      outgoing.off("drain", done).off("close", done);
      resolve();
    };
    outgoing.on("drain", done).on("close", done);
  });
}
