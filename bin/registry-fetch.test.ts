import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { scratch } from "../backends/linux/testing/scratch.ts";
import { readText, reasonOf } from "../core/image/registry/http.ts";
import { registryFetch } from "./registry-fetch.ts";

// The registry client's way over a real network: certificates, proxies, and connections that fail.

const request = { method: "GET" as const, headers: {}, body: null, insecure: false, signal: null };

async function listening(t: TestContext, server: Server | http.Server | https.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

function scratchOf(t: TestContext): string {
  const directory = scratch("fetch", tmpdir());
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** A certificate for 127.0.0.1 and registry.example that vouches for itself. */
function certificate(directory: string, name: string): { cert: string; key: string } {
  const files = { cert: join(directory, `${name}.crt`), key: join(directory, `${name}.key`) };
  const names = "subjectAltName=IP:127.0.0.1,DNS:registry.example";
  const args = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  execFileSync(
    "openssl",
    [...args, "-subj", `/CN=${name}`, "-addext", names, "-keyout", files.key, "-out", files.cert],
    {
      stdio: "ignore",
    },
  );
  return files;
}

const greet: http.RequestListener = (incoming, outgoing) => outgoing.end(`hello from ${incoming.headers.host ?? ""}`);

test("a server is trusted by the authority that lies in its directory, and by that alone", async (t) => {
  const directory = scratchOf(t);
  const own = certificate(directory, "server");
  const tls = { cert: readFileSync(own.cert), key: readFileSync(own.key) };
  const port = await listening(t, https.createServer(tls, greet));
  const url = `https://127.0.0.1:${port}/v2/`;
  const trusting = registryFetch({ environment: {}, certificates: [join(directory, "certs.d")] });
  mkdirSync(join(directory, "certs.d", `127.0.0.1:${port}`), { recursive: true });
  copyFileSync(own.cert, join(directory, "certs.d", `127.0.0.1:${port}`, "ca.crt"));
  assert.match(await readText(await trusting({ ...request, url }), "it"), /^hello/);
  const strict = registryFetch({ environment: {}, certificates: [] });
  await assert.rejects(strict({ ...request, url }), (thrown: Error) => {
    assert.match(thrown.message, /its certificate is not trusted .*; put its authority into certs\.d/);
    return reasonOf(thrown) === "tls";
  });
  assert.equal((await strict({ ...request, url, insecure: true })).status, 200);
});

test("a client certificate is shown to the server it lies ready for", async (t) => {
  const directory = scratchOf(t);
  const [own, client] = [certificate(directory, "server"), certificate(directory, "client")];
  const server = https.createServer(
    {
      cert: readFileSync(own.cert),
      key: readFileSync(own.key),
      ca: readFileSync(client.cert),
      requestCert: true,
      rejectUnauthorized: true,
    },
    greet,
  );
  const port = await listening(t, server);
  const home = join(directory, "certs.d", `127.0.0.1:${port}`);
  mkdirSync(home, { recursive: true });
  copyFileSync(own.cert, join(home, "ca.crt"));
  copyFileSync(client.cert, join(home, "me.cert"));
  copyFileSync(client.key, join(home, "me.key"));
  const fetch = registryFetch({ environment: {}, certificates: [join(directory, "certs.d")] });
  assert.equal((await fetch({ ...request, url: `https://127.0.0.1:${port}/` })).status, 200);
});

test("a server that does not speak TLS is told from one that is not there", async (t) => {
  const fetch = registryFetch({ environment: {}, certificates: [] });
  const port = await listening(t, http.createServer(greet));
  await assert.rejects(
    fetch({ ...request, url: `https://127.0.0.1:${port}/` }),
    (thrown) => reasonOf(thrown) === "plain",
  );
  await assert.rejects(
    fetch({ ...request, url: "http://127.0.0.1:9/" }),
    (thrown: Error) =>
      reasonOf(thrown) === "refused" && /cannot reach 127\.0\.0\.1:9: connection refused/.test(thrown.message),
  );
});

test("requests go through the proxies of the environment, but never those to this machine", async (t) => {
  const directory = scratchOf(t);
  const own = certificate(directory, "server");
  const secure = await listening(
    t,
    https.createServer({ cert: readFileSync(own.cert), key: readFileSync(own.key) }, greet),
  );
  const asked: string[] = [];
  const proxy = http.createServer((incoming, outgoing) => {
    asked.push(incoming.url ?? "");
    outgoing.end("from the proxy");
  });
  proxy.on("connect", (incoming: http.IncomingMessage, socket) => {
    asked.push(`CONNECT ${incoming.url ?? ""}`);
    const through = connect(secure, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      through.pipe(socket).pipe(through);
    });
    for (const end of [through, socket]) end.on("error", () => {});
  });
  const port = await listening(t, proxy);
  const proxies = {
    HTTP_PROXY: `http://127.0.0.1:${port}`,
    HTTPS_PROXY: `http://127.0.0.1:${port}`,
    NO_PROXY: "direct.example",
  };
  const fetch = registryFetch({ environment: proxies, certificates: [join(directory, "certs.d")] });
  mkdirSync(join(directory, "certs.d", "registry.example"), { recursive: true });
  copyFileSync(own.cert, join(directory, "certs.d", "registry.example", "ca.crt"));
  assert.equal(await readText(await fetch({ ...request, url: "http://registry.example/v2/" }), "it"), "from the proxy");
  assert.match(await readText(await fetch({ ...request, url: "https://registry.example/v2/" }), "it"), /^hello/);
  assert.deepEqual(asked, ["http://registry.example/v2/", "CONNECT registry.example:443"]);
  const local = await listening(t, http.createServer(greet));
  assert.match(await readText(await fetch({ ...request, url: `http://127.0.0.1:${local}/` }), "it"), /^hello/);
  await assert.rejects(fetch({ ...request, url: "http://direct.example/" }), /cannot reach direct\.example/);
  assert.equal(asked.length, 2);
});

test("a server that falls silent is a broken connection, and so is one that hangs up", async (t) => {
  const silent = await listening(
    t,
    createServer(() => {}),
  );
  const fetch = registryFetch({ environment: {}, certificates: [], idleMs: 100 });
  await assert.rejects(fetch({ ...request, url: `http://127.0.0.1:${silent}/` }), /was silent for 0\.1 s/);
  const answers = [
    "",
    "HTTP/1.1 200",
    "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123456789",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n",
  ];
  for (const answer of answers) {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.end(answer));
    });
    const port = await listening(t, server);
    const reading = fetch({ ...request, url: `http://127.0.0.1:${port}/` }).then((response) =>
      readText(response, "it"),
    );
    await assert.rejects(reading, (thrown) => reasonOf(thrown) === "broken", JSON.stringify(answer));
  }
});

test("an answer that comes before the body is out is the answer", async (t) => {
  const port = await listening(
    t,
    http.createServer((_, outgoing) => outgoing.writeHead(413, { connection: "close" }).end("too long")),
  );
  const fetch = registryFetch({ environment: {}, certificates: [] });
  async function* endless(): AsyncGenerator<Uint8Array, void> {
    for (;;) yield new Uint8Array(65_536);
  }
  const response = await fetch({ ...request, method: "PUT", url: `http://127.0.0.1:${port}/`, body: endless() });
  assert.equal(response.status, 413);
});

test("whoever hangs up ends the request", async (t) => {
  const port = await listening(
    t,
    http.createServer(() => {}),
  );
  const gone = new AbortController();
  const asking = registryFetch({ environment: {}, certificates: [] })({
    ...request,
    url: `http://127.0.0.1:${port}/`,
    signal: gone.signal,
  });
  gone.abort();
  await assert.rejects(asking, { name: "AbortError" });
});
