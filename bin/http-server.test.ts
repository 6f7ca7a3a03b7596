import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { scratch } from "../backends/linux/testing/scratch.ts";
import type { Api, Answer } from "../api/http.ts";
import { readAll } from "../core/base/bytes.ts";
import { createHttpServer } from "./http-server.ts";

const directory = scratch("http");
const path = `${directory}/s`;
const seen = { aborted: false, inputs: [] as string[] };

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (line: string) => new TextEncoder().encode(line);

const api: Api = async (request) => {
  const [route] = request.target.split("?");
  const answers: Record<string, () => Answer | Promise<Answer>> = {
    "/echo": async () => reply(200, await readAll(request.body, 1 << 20)),
    "/early": () => reply(400, bytes("no")),
    "/partial": async () => {
      const iterator = request.body[Symbol.asyncIterator]();
      await iterator.next();
      await iterator.return?.();
      return reply(400, bytes("enough"));
    },
    "/empty": () => ({ kind: "reply", status: 204, headers: {}, body: null }),
    "/silent": () => ({ kind: "reply", status: 200, headers: {}, body: untilAborted(request.signal) }),
    "/cut": () => ({ kind: "reply", status: 200, headers: {}, body: failing() }),
    "/deaf": async () => ({
      kind: "hijack",
      status: 101,
      headers: { connection: "Upgrade", upgrade: "tcp" },
      duplex: async function* () {
        yield bytes("over");
      },
    }),
    "/hijack": async () => {
      const body = text(await readAll(request.body, 1 << 20));
      const upgrade = request.headers["upgrade"] !== undefined;
      return {
        kind: "hijack",
        status: upgrade ? 101 : 200,
        headers: upgrade
          ? { "content-type": "x/raw", connection: "Upgrade", upgrade: "tcp" }
          : { "content-type": "x/raw" },
        duplex: async function* (input) {
          yield bytes(`body=${body};`);
          for await (const chunk of input) yield bytes(text(chunk).toUpperCase());
          await new Promise((resolve) => setTimeout(resolve, 20));
          yield bytes(";late output");
        },
      };
    },
  };
  return (answers[route ?? ""] ?? (() => reply(404, bytes("?"))))();
};

function reply(status: number, body: Uint8Array): Answer {
  return { kind: "reply", status, headers: {}, body };
}

async function* untilAborted(signal: AbortSignal) {
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  seen.aborted = true;
  yield* [] as Uint8Array[];
}

async function* failing() {
  yield bytes("half");
  throw new Error("broken source");
}

const server = createHttpServer(api, { begin: () => () => {} });
before(() => new Promise<void>((resolve) => server.listen(path, resolve)));
after(() => {
  server.close();
  server.closeAllConnections();
  rmSync(directory, { recursive: true });
});

/** Sends raw bytes, in the pieces given, half-closes when told, and gives all that came back. */
function raw(pieces: string[], options: { halfClose: boolean }): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true });
    let received = "";
    socket.on("data", (chunk) => {
      received += String(chunk);
    });
    socket.on("end", () => {
      socket.destroy();
      resolve(received);
    });
    socket.on("error", reject);
    void (async () => {
      for (const piece of pieces) {
        socket.write(piece);
        await new Promise((next) => setTimeout(next, 5));
      }
      if (options.halfClose) socket.end();
    })();
  });
}

const upgradeHead = "POST /hijack HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n";

test("a reply carries its length, also for a request without a Host header", async () => {
  const answer = await raw(["GET /early HTTP/1.1\r\nConnection: close\r\n\r\n"], { halfClose: false });
  assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\ncontent-length: 2\r\n/);
  assert.match(answer, /\r\n\r\nno$/);
});

test("a 204 has no body and no length", async () => {
  const answer = await raw(["GET /empty HTTP/1.1\r\nConnection: close\r\n\r\n"], { halfClose: false });
  assert.doesNotMatch(answer, /content-length|transfer-encoding/i);
  assert.match(answer, /\r\n\r\n$/);
});

test("an upgrade takes its declared body first and all that follows as input", async () => {
  const answer = await raw([`${upgradeHead}Content-Length: 7\r\n\r\n{"a"`, ":1}in", "put"], { halfClose: true });
  const [head, output] = answer.split("\r\n\r\n");
  assert.equal(head, "HTTP/1.1 101 UPGRADED\r\nContent-Type: x/raw\r\nConnection: Upgrade\r\nUpgrade: tcp");
  assert.equal(output, 'body={"a":1};INPUT;late output');
});

test("output goes on after the client closed its half at once", async () => {
  const answer = await raw([`${upgradeHead}Content-Length: 0\r\n\r\n`], { halfClose: true });
  assert.match(answer, /body=;;late output$/);
});

test("a hijack without upgrade is neither chunked nor of known length and survives a half-close", async () => {
  const answer = await raw(["POST /hijack HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"], { halfClose: true });
  assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
  assert.doesNotMatch(answer, /content-length|transfer-encoding/i);
  assert.match(answer, /\r\n\r\nbody={};;late output$/);
});

test("a client that is still sending when the output ends gets all of it, and an end instead of a reset", async () => {
  const head = "POST /deaf HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n";
  for (let round = 0; round < 5; round++)
    assert.match(await raw([head, "x".repeat(4_000_000)], { halfClose: false }), /\r\n\r\nover$/);
});

test("an upgrade that the api refuses gets a plain reply and the end of the connection", async () => {
  const head = "POST /nowhere HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
  assert.match(await raw([head], { halfClose: false }), /^HTTP\/1\.1 404 Not Found\r\n[^]*\r\n\r\n\?$/);
});

test("an upgrade with a chunked body is refused", async () => {
  const head = `${upgradeHead}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`;
  assert.match(await raw([head], { halfClose: false }), /^HTTP\/1\.1 400 Bad Request\r\n[^]*"message"/);
});

test("headers larger than 64 KiB get a clear 431", async () => {
  const answer = await raw([`GET /echo?${"x".repeat(70_000)} HTTP/1.1\r\n\r\n`], { halfClose: false });
  assert.match(answer, /^HTTP\/1\.1 431 [^]*larger than 64 KiB/);
});

test("what is not HTTP gets a clear 400", async () => {
  assert.match(await raw(["hello?\r\n\r\n"], { halfClose: false }), /^HTTP\/1\.1 400 [^]*malformed HTTP request/);
});

test("an answer given before the body was read arrives, and the connection stays usable", async () => {
  const body = "x".repeat(200_000);
  const first = `POST /partial HTTP/1.1\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const answer = await raw([first, "GET /early HTTP/1.1\r\nConnection: close\r\n\r\n"], { halfClose: false });
  assert.match(answer, /enough[^]*no$/);
});

test("a silent stream sends its headers at once and learns that the client went away", async () => {
  seen.aborted = false;
  const status = await new Promise<number>((resolve) => {
    const request = httpRequest({ socketPath: path, path: "/silent" }, (response) => {
      resolve(response.statusCode ?? 0);
      request.destroy();
    });
    request.on("error", () => {});
    request.end();
  });
  assert.equal(status, 200);
  for (let tries = 0; tries < 200 && !seen.aborted; tries++) await new Promise((next) => setTimeout(next, 5));
  assert.equal(seen.aborted, true);
});

test("a stream that breaks cuts the connection, so that the client cannot take half for all", async () => {
  const answer = await raw(["GET /cut HTTP/1.1\r\n\r\n"], { halfClose: false }).catch((error: unknown) =>
    String(error),
  );
  assert.doesNotMatch(answer, /\r\n0\r\n\r\n$/);
});
