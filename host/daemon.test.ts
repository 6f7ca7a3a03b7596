import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import test from "node:test";
import type { Answer, Api } from "../api/http.ts";
import { decodeBytes, encodeText, readAll } from "../core/base/bytes.ts";
import { listening } from "./daemon.ts";
import { Session } from "./testing/session.ts";

// The command line in the simulated shell and a daemon behind the simulated socket, with an API that only answers.

const pause = (): Promise<void> => setImmediate();

function json(value: unknown): Answer {
  return {
    kind: "reply",
    status: 200,
    headers: { "content-type": "application/json" },
    body: encodeText(JSON.stringify(value)),
  };
}

async function sessionWith(api: Api): Promise<Session> {
  const session = await Session.begin(pause, { serves: false });
  const { kernel } = session.host;
  kernel.launch("tsboxd", (sys) => listening(kernel, sys, api, pause));
  await kernel.turns.run();
  return session;
}

test("without a daemon the command line says so, and its exit code too", async () => {
  const session = await Session.begin(pause, { serves: false });
  assert.equal(
    await session.run("tsbox ps; echo $?"),
    "Cannot connect to the tsbox daemon at unix:///run/tsbox.sock. Is it running?\n1",
  );
});

test("tsbox and docker speak to the daemon through its socket, which only root may open", async () => {
  const asked: string[] = [];
  const session = await sessionWith((request) => {
    asked.push(`${request.method} ${request.target}`);
    return Promise.resolve(json([]));
  });
  assert.match(await session.run("tsbox ps"), /^CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES$/);
  assert.equal(await session.run("docker ps -q"), "");
  assert.deepEqual(asked, ["GET /containers/json", "GET /containers/json"]);
  assert.match(await session.run("ls -l /run/tsbox.sock"), /^srw------- /);
  assert.match(await session.run("ps"), /tsboxd/);
  assert.match(await session.run("su nobody -s /bin/sh -c 'tsbox ps'"), /permission denied/i);
});

test("a file is sent as a body, and an answer is shown while it comes", async () => {
  const bodies: number[] = [];
  const session = await sessionWith(async (request) => {
    bodies.push((await readAll(request.body, 1 << 24)).length);
    const lines = (async function* () {
      for (const stream of ["one", "two"]) {
        await pause();
        yield encodeText(`${JSON.stringify({ stream: `${stream}\n` })}\n`);
      }
    })();
    return { kind: "reply", status: 200, headers: { "content-type": "application/json" }, body: lines };
  });
  session.give("image.tar", new Uint8Array(300_000));
  assert.equal(await session.run("tsbox load -i image.tar"), "one\ntwo");
  assert.equal(await session.run("tsbox load < image.tar"), "one\ntwo");
  assert.deepEqual(bodies, [300_000, 300_000]);
});

test("what is no HTTP ends its own connection only", async () => {
  const session = await sessionWith(() => Promise.resolve(json([])));
  const { kernel } = session.host;
  let said = "";
  kernel.launch("nonsense", async (sys) => {
    const fd = sys.socket("unix");
    await sys.connect(fd, { family: "unix", path: "/run/tsbox.sock" });
    await sys.write(fd, encodeText("garbage\r\n\r\n"));
    said = decodeBytes(await sys.read(fd, 1000));
    return 0;
  });
  await kernel.turns.run();
  assert.match(said, /^HTTP\/1\.1 400 Bad Request\r\n[^]*malformed HTTP request/);
  assert.equal(await session.run("tsbox ps -q; echo $?"), "0");
});
