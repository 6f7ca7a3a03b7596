import assert from "node:assert/strict";
import { rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { after, test } from "node:test";
import { spawnSync } from "node:child_process";
import { scratch } from "../backends/linux/testing/scratch.ts";
import { listen, socketPath } from "./listen.ts";

const directory = scratch("listen");
const servers: Server[] = [];
after(() => {
  for (const server of servers) server.close();
  rmSync(directory, { recursive: true });
});

function server(): Server {
  const made = createServer();
  servers.push(made);
  return made;
}

test("only unix:// and an absolute path is an address to listen on", () => {
  assert.equal(socketPath("unix:///run/x.sock"), "/run/x.sock");
  for (const host of ["tcp://127.0.0.1:2375", "unix://relative", "/run/x.sock", ""])
    assert.throws(() => socketPath(host), /expected unix:\/\/ and an absolute path/);
});

test("the socket is its owner's alone, and directories on the way are made", async () => {
  await listen(server(), `${directory}/sub/s`);
  assert.equal(statSync(`${directory}/sub/s`).mode & 0o777, 0o600);
});

test("a socket that somebody answers on is not taken", async () => {
  await listen(server(), `${directory}/alive`);
  await assert.rejects(listen(server(), `${directory}/alive`), /another daemon answers there/);
});

test("a socket that nobody answers on any more is replaced", async () => {
  const path = `${directory}/stale`;
  const dies = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 9))`;
  spawnSync(process.execPath, ["-e", dies]);
  assert.equal(statSync(path).isSocket(), true);
  await listen(server(), path);
});

test("a file that is no socket is never replaced", async () => {
  writeFileSync(`${directory}/file`, "precious");
  await assert.rejects(listen(server(), `${directory}/file`), /a file that is not a socket/);
});
