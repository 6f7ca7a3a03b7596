import assert from "node:assert/strict";
import { request, createServer } from "node:http";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { scratch } from "../backends/linux/testing/scratch.ts";
import { engineReport } from "./engine-report.ts";
import { buildPage, servePage } from "./page-server.ts";

// The page's server shows the page and the report to this machine's browser, and nothing to anybody else.

const nothing = { state: "absent", why: "no reason", remedy: "none", commands: [] } as const;

test("the page and its report are served to the loopback name only", async () => {
  await buildPage();
  const server = await servePage(0, () => Promise.resolve(nothing));
  try {
    const { host, port } = new URL(server.url);
    const page = await get(port, "/", host);
    assert.match(page.body, /<tsb-playground>/);
    assert.match(
      String(page.headers["content-security-policy"]),
      /default-src 'none'; script-src 'self' 'wasm-unsafe-eval';/,
    );
    assert.match(page.body, /<meta http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;/);
    assert.deepEqual(JSON.parse((await get(port, "/engine.json", host)).body), nothing);
    assert.equal((await get(port, "/engine.json", "evil.example")).status, 403);
    assert.equal((await get(port, "/", "evil.example")).status, 403);
    assert.equal((await get(port, "/containers/json", host)).status, 404);
    assert.equal((await get(port, "/engine.json", host)).headers["access-control-allow-origin"], undefined);
  } finally {
    await server.close();
  }
});

test("the report keeps to itself what the page does not show", async () => {
  const directory = scratch("report", tmpdir());
  const container = {
    Id: "0123456789abcdef",
    Names: ["/web"],
    Image: "busybox",
    State: "running",
    Status: "Up",
    Command: "sh -c secret",
  };
  const answers: Record<string, unknown> = {
    "/version": { Version: "1", ApiVersion: "1.50" },
    "/info": {
      Name: "n",
      OperatingSystem: "o",
      KernelVersion: "k",
      Architecture: "a",
      NCPU: 1,
      MemTotal: 1,
      SecurityOptions: [],
    },
    "/tsbox/v1/info": { traits: { cgroups: [{ version: 2, controllers: [] }] } },
    "/containers/json?all=1": [container],
    "/images/json": [],
  };
  const engine = createServer((asked, response) => response.end(JSON.stringify(answers[asked.url ?? ""])));
  const socket = join(directory, "s");
  await new Promise<void>((listening) => engine.listen(socket, listening));
  try {
    const report = await engineReport({ socket, absent: null, commands: [] });
    assert.equal(report.state, "running");
    assert.doesNotMatch(JSON.stringify(report), /secret/);
  } finally {
    engine.close();
    rmSync(directory, { recursive: true });
  }
});

test("without an engine the report says where nobody answers and what to do", async () => {
  const report = await engineReport({ socket: "/nowhere/tsbox.sock", absent: null, commands: [] });
  assert.equal(report.state, "absent");
  assert.match(report.state === "absent" ? report.why : "", /Nothing answers at \/nowhere\/tsbox.sock: .*ENOENT/);
});

interface Answer {
  readonly status: number | undefined;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

function get(port: string, path: string, host: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const ask = request({ host: "127.0.0.1", port, path, headers: { host } }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => (body += text));
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body }));
    });
    ask.on("error", reject);
    ask.end();
  });
}
