import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { scratch } from "../backends/linux/testing/scratch.ts";
import { readAll } from "../core/base/bytes.ts";
import { nodeTransport } from "./node-transport.ts";

const directory = scratch("transport");
const path = `${directory}/s`;
let connections = 0;

const server = createServer((request, response) => {
  const answers: Record<string, () => void> = {
    "/sized": () => response.end("sized"),
    "/empty": () => response.writeHead(204).end(),
    "/chunked": () => {
      response.write("chu");
      response.end("nked");
    },
    "/last": () => response.writeHead(200, { connection: "close" }).end("last"),
    "/early": () => response.writeHead(400).end("early"),
  };
  (answers[request.url ?? ""] ?? (() => response.writeHead(404).end()))();
});
server.on("connection", () => {
  connections++;
});
before(() => new Promise<void>((resolve) => server.listen(path, resolve)));
after(() => {
  server.close();
  server.closeAllConnections();
  rmSync(directory, { recursive: true });
});

/** What came, and how many connections that took. */
async function ask(paths: readonly string[], body?: AsyncIterable<Uint8Array>): Promise<[string[], number]> {
  const { request } = nodeTransport({ host: `unix://${path}`, onRefused: null });
  const begin = connections;
  const texts: string[] = [];
  for (const each of paths) {
    const response = await request("POST", each, body === undefined ? {} : { body });
    texts.push(Buffer.from(await readAll(response.body, 1024)).toString());
  }
  return [texts, connections - begin];
}

test("one request after another goes over one connection", async () => {
  assert.deepEqual(await ask(["/sized", "/empty", "/chunked", "/sized"]), [["sized", "", "chunked", "sized"], 1]);
});

test("an answer that says that it is the last on its connection is", async () => {
  assert.deepEqual(await ask(["/last", "/last"]), [["last", "last"], 2]);
});

test("a connection whose request is not sent to its end carries no other", async () => {
  const endless = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
    yield new Uint8Array(1);
    await new Promise(() => {});
  };
  assert.deepEqual(await ask(["/early", "/early"], endless()), [["early", "early"], 2]);
});

test("requests at the same time have a connection each, an answer nobody reads to its end gives up its own", async () => {
  const { request } = nodeTransport({ host: `unix://${path}`, onRefused: null });
  const begin = connections;
  const [first, second] = await Promise.all([request("GET", "/chunked"), request("GET", "/sized")]);
  for await (const _ of first.body) break;
  await readAll(second.body, 1024);
  await readAll((await request("GET", "/sized")).body, 1024);
  assert.equal(connections - begin, 2);
});

test("connections are made ahead when they are foreseen", async () => {
  const transport = nodeTransport({ host: `unix://${path}`, onRefused: null });
  const begin = connections;
  transport.prepare?.(2);
  const whole = async (target: string): Promise<Uint8Array> =>
    readAll((await transport.request("GET", target)).body, 1024);
  await whole("/sized");
  await Promise.all([whole("/sized"), whole("/chunked"), whole("/empty")]);
  assert.equal(connections - begin, 3);
});
