/**
 * Clients outside are inputs too: random ones connect to the simulated tsboxd as docker does, send their requests in
 * pieces, read slowly, hang up half-way, and have it push to and pull from a registry outside that answers when it
 * likes. Lived again, with no client and no registry, the machine ends in the same state.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { linuxPorts } from "../../backends/linux/ports.ts";
import { InputLog, type LogEntry } from "../../backends/sim/input-log.ts";
import { concat, decodeBytes, encodeText } from "../../core/base/bytes.ts";
import type { Fetch } from "../../core/image/registry/http.ts";
import { type SimulatedHost, startHost } from "../../host/host.ts";
import { type RecordedSession, replay, rootOf } from "../../host/replay.ts";
import { imageTar, wasi } from "../../images/archive.ts";
import { userlandParts } from "../../images/userland/build.ts";
import { registryInMemory } from "../registry/in-memory.ts";
import { bootTime, dice, pause, type Roll, size, uneven } from "./uneven.ts";

const sessions = 6;
const clientsOfSession = 8;

const tar = await imageTar(await userlandParts("tsbox/base"), wasi);
const embedded = (name: string): Promise<Uint8Array> | null => (name === "tsbox/base" ? Promise.resolve(tar) : null);
const nowhere: Fetch = () => Promise.reject(new Error("a life lived again asks nobody"));
const world = { pause, hasher: linuxPorts.hasher, embedded, fileOf: () => new Uint8Array(0) };

function request(method: string, target: string, body: Uint8Array | string = "", headers = ""): Uint8Array {
  const bytes = typeof body === "string" ? encodeText(body) : body;
  const head = `${method} ${target} HTTP/1.1\r\nHost: docker\r\nContent-Length: ${bytes.length}\r\n${headers}\r\n`;
  return concat([encodeText(head), bytes]);
}

const create = JSON.stringify({
  Image: "tsbox/base",
  Cmd: ["sh", "-c", "echo $RANDOM; head -c 400000 /dev/zero; sleep 2"],
});
const auth = "X-Registry-Auth: e30=\r\n";
const attach = "Connection: Upgrade\r\nUpgrade: tcp\r\n";

/** What a session's clients ask; the first makes what others ask about. */
const requests = [
  request("POST", "/containers/create?name=box", create),
  request("POST", "/containers/box/start"),
  request("POST", "/containers/box/attach?stream=1&stdout=1&stdin=1", "", attach),
  request("GET", "/containers/box/logs?follow=1&stdout=1"),
  request("POST", "/containers/box/wait"),
  request("GET", "/events"),
  request("POST", "/volumes/create", JSON.stringify({ Labels: { a: "b" } })),
  request("POST", "/images/load", tar),
  request("POST", "/images/load", tar.slice(0, 40_000)),
  request("POST", "/images/tsbox/base/tag?repo=registry.test/team/app&tag=1"),
  request("POST", "/images/registry.test/team/app/push?tag=1", "", auth),
  request("POST", "/images/create?fromImage=registry.test/team/app&tag=1", "", auth),
  request("POST", "/images/create?fromImage=registry.test/nobody/knows&tag=1", "", auth),
  request("DELETE", "/containers/box?force=1"),
  encodeText("no HTTP\r\n\r\n"),
];

async function pauses(most: number, roll: Roll): Promise<void> {
  for (let times = roll(most); times > 0; times--) await pause();
}

/** The registry answers late, and each part of an answer too. */
function late(fetch: Fetch, roll: Roll): Fetch {
  return async (asked) => {
    await pauses(30, roll);
    const answer = await fetch(asked);
    return {
      ...answer,
      body: (async function* () {
        for await (const chunk of answer.body) {
          await pauses(30, roll);
          yield chunk;
        }
      })(),
    };
  };
}

/** One client's whole life; resolves with what it was sent when its connection is over. */
async function client(
  host: SimulatedHost,
  bytes: Uint8Array,
  { roll, night }: { roll: Roll; night: Promise<void> },
): Promise<string> {
  const over = Promise.withResolvers<void>();
  const received: Uint8Array[] = [];
  const patience = 3 + roll(40);
  const connection = host.connect({
    receive: async (part) => {
      received.push(part);
      await pauses(5, roll);
      if (received.length === patience) leave();
    },
    finish: () => over.resolve(),
  });
  const leave = (): void => {
    connection.close();
    over.resolve();
  };
  for (let at = 0; at < bytes.length; ) {
    const piece = bytes.slice(at, at + 1 + roll(at < 300 ? 50 : 200_000));
    await Promise.race([connection.send(piece), over.promise]);
    await pauses(4, roll);
    at += piece.length;
  }
  if (roll(2) === 0) connection.end();
  if (roll(3) === 0) leave();
  void night.then(leave);
  await over.promise;
  return decodeBytes(concat(received));
}

async function live(seed: number): Promise<{ session: RecordedSession; root: string; statuses: string[] }> {
  const roll = dice(seed);
  const entries: LogEntry[] = [];
  const log = new InputLog({ replay: [], live: () => uneven(roll), pause, sink: (entry) => entries.push(entry) });
  const registry = { fetch: late((await registryInMemory()).fetch, roll) };
  const options = { ...world, seed, size, now: bootTime, log, registry, screen: () => Promise.resolve() };
  const host = startHost(options);
  await host.engine;
  const asked = [0, 1, 9, ...Array.from({ length: clientsOfSession }, () => roll(requests.length))];
  const night = Promise.withResolvers<void>();
  const clients: Promise<string>[] = [];
  for (const each of asked) {
    clients.push(client(host, requests[each] ?? new Uint8Array(0), { roll, night: night.promise }));
    await pauses(60, roll);
  }
  await untilQuiet(host, entries);
  night.resolve();
  const statuses = (await Promise.all(clients)).map((answer) => answer.slice(9, 12));
  await untilQuiet(host, entries);
  return { session: { seed, size, now: String(bootTime), entries }, root: rootOf(host.kernel, world.hasher), statuses };
}

/** Nothing more comes in: whoever is outside and late is not later than that. */
async function untilQuiet(host: SimulatedHost, entries: readonly LogEntry[]): Promise<void> {
  for (let before = -1; before !== entries.length; ) {
    before = entries.length;
    for (let times = 0; times < 50; times++) await pause();
    await host.kernel.turns.run();
  }
}

const said = new Set<string>();
const kinds = new Set<string>();

for (let seed = 1; seed <= sessions; seed++)
  test(`the clients of session ${seed} leave the same state when it is lived again`, { timeout: 60_000 }, async () => {
    const { session, root, statuses } = await live(seed);
    for (const each of statuses) said.add(each);
    for (const { kind } of session.entries) kinds.add(kind);
    assert.deepEqual(await replay(session, { ...world, registry: { fetch: nowhere } }), { same: true, root });
  });

test("the clients of all sessions together did what clients can do", () => {
  for (const status of ["101", "200", "201", "204", "404", "409", ""])
    assert.ok(said.has(status), `nobody was told ${status}`);
  for (const kind of ["connect", "bytes", "taken", "end", "close", "response", "part", "fetched"])
    assert.ok(kinds.has(kind), `no ${kind}`);
});
