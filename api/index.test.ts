import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { ContainerId, ExecId, HostPath } from "../core/base/brand.ts";
import { encodeText } from "../core/base/bytes.ts";
import { TsboxError } from "../core/base/error.ts";
import type { CreateRequest } from "../core/engine/engine.ts";
import type { Event } from "../core/engine/events.ts";
import type { Transfer } from "../core/engine/transfer.ts";
import { memoryImage } from "../core/engine/testing/memory-images.ts";
import type { Image } from "../core/image/image.ts";
import type { Attachment, OutputChunk } from "../core/engine/machine.ts";
import type { Plan } from "../core/runtime/plan.ts";
import { fakeApi, notFound, read, request, sampleRecord } from "./testing/fake-engine.ts";

const json = async (api: ReturnType<typeof fakeApi>, method: string, target: string, body?: unknown) => {
  const { status, text } = await read(await api(request(method, target, body === undefined ? {} : { body })));
  return { status, body: text === "" ? null : JSON.parse(text) };
};

test("ping answers with the headers clients negotiate by, with and without a version", async () => {
  for (const target of ["/_ping", "/v1.41/_ping"]) {
    const answer = await fakeApi({})(request("HEAD", target));
    assert.equal(answer.status, 200);
    const { "api-version": api, ostype, swarm, "builder-version": builder } = answer.headers;
    assert.deepEqual(
      { api, ostype, swarm, builder },
      { api: "1.50", ostype: "linux", swarm: "inactive", builder: "1" },
    );
  }
  assert.equal((await read(await fakeApi({})(request("GET", "/_ping")))).text, "OK");
});

test("versions outside the window are refused in Docker's words", async () => {
  assert.deepEqual(await json(fakeApi({}), "GET", "/v1.99/version"), {
    status: 400,
    body: { message: "client version 1.99 is too new. Maximum supported API version is 1.50" },
  });
  assert.deepEqual(await json(fakeApi({}), "GET", "/v1.10/version"), {
    status: 400,
    body: {
      message:
        "client version 1.10 is too old. Minimum supported API version is 1.24, " +
        "please upgrade your client to a newer version",
    },
  });
});

test("what is not there is a 404 with a message, whatever the method", async () => {
  const notThere = { status: 404, body: { message: "page not found" } };
  for (const target of ["/nowhere", "/v1.41/nowhere", "/v1.41/", "/session", "//", "/%"])
    assert.deepEqual(await json(fakeApi({}), "GET", target), notThere, target);
  assert.deepEqual(await json(fakeApi({}), "PUT", "/containers/json"), notThere);
});

test("a reference in the path may be percent-encoded or hold slashes", async () => {
  const asked: string[] = [];
  const api = fakeApi({
    images: {
      get: async (ref) => {
        asked.push(ref);
        return notFound(`No such image: ${ref}`);
      },
    },
  });
  const targets = ["a/b:1", "a%2Fb:1", "localhost:5000/a@sha256:00", "json"];
  for (const target of targets) assert.equal((await json(api, "GET", `/images/${target}/json`)).status, 404);
  assert.deepEqual(asked, ["a/b:1", "a/b:1", "localhost:5000/a@sha256:00", "json"]);
  assert.equal((await json(api, "GET", "/images/%zz/json")).status, 400);
});

test("create hands the engine what the client asked for", async () => {
  const asked: CreateRequest[] = [];
  const api = fakeApi({
    containers: {
      create: async (request) => {
        asked.push(request);
        return { id: "c".repeat(64) as ContainerId, warnings: [] };
      },
    },
  });
  const body = JSON.parse(readFileSync(new URL("testing/create-request-flags.json", import.meta.url), "utf8"));
  assert.deepEqual(await json(api, "POST", "/v1.41/containers/create?name=x", body), {
    status: 201,
    body: { Id: "c".repeat(64), Warnings: [] },
  });
  const { name, config, hostConfig } = asked[0] ?? assert.fail("not asked");
  assert.deepEqual(
    [name, config.user, config.cmd, config.entrypoint, config.stopSignal, config.stopTimeoutSeconds],
    ["x", "1000:1000", ["sh", "-c", "exit 1"], null, "TERM", 3],
  );
  assert.deepEqual(hostConfig.mounts, [
    {
      kind: "volume",
      source: "demovol",
      target: "/data",
      readonly: false,
      propagation: "",
      createSource: true,
      options: "",
    },
    { kind: "tmpfs", source: "", target: "/run", readonly: false, propagation: "", createSource: true, options: "" },
  ]);
  assert.deepEqual(
    [hostConfig.resources.memoryBytes, hostConfig.resources.nanoCpus, hostConfig.resources.pidsLimit],
    [33554432, 500000000, 50],
  );
  assert.deepEqual(hostConfig.restartPolicy, { name: "on-failure", maximumRetryCount: 2 });
});

const badBodies: readonly [why: string, body: unknown, message: RegExp][] = [
  ["not JSON", "{", /^request body is not valid JSON$/],
  ["a list", [], /^invalid request body: expected an object, received a list$/],
  ["a wrong type", { Image: 7 }, /^invalid request body: Image: expected .*string.*, received 7$/],
  ["a wrong type below", { Image: "x", HostConfig: { Memory: "1g" } }, /HostConfig\.Memory: .*received "1g"$/],
  ["a wrong element", { Image: "x", Env: ["A=1", 2] }, /Env\.1: /],
  ["a fraction", { Image: "x", HostConfig: { PidsLimit: 1.5 } }, /HostConfig\.PidsLimit/],
  ["no image", {}, /^no image specified/],
  ["a bad bind", { Image: "x", HostConfig: { Binds: ["a:b:c:d"] } }, /^invalid volume specification: 'a:b:c:d'$/],
  ["a bad mode", { Image: "x", HostConfig: { Binds: ["/a:/b:zz"] } }, /^invalid mode: zz$/],
  ["a relative target", { Image: "x", HostConfig: { Binds: ["/a:b"] } }, /mount path must be absolute$/],
  ["the root as target", { Image: "x", HostConfig: { Binds: ["/a:/"] } }, /destination can't be '\/'$/],
  ["an unknown mount", { Image: "x", HostConfig: { Mounts: [{ Type: "zz", Target: "/x" }] } }, /mount type unknown$/],
  ["an unknown policy", { Image: "x", HostConfig: { RestartPolicy: { Name: "zz" } } }, /unknown policy 'zz'/],
  ["a deep body", `${"[".repeat(100_000)}${"]".repeat(100_000)}`, /^invalid request body/],
];

for (const [why, body, message] of badBodies)
  test(`create refuses a body with ${why}`, async () => {
    const answer = await json(fakeApi({}), "POST", "/containers/create", body);
    assert.equal(answer.status, 400);
    assert.match(answer.body.message, message);
  });

test("create refuses a body that is not JSON by its content type and one that never ends", async () => {
  const typed = request("POST", "/containers/create", { body: "{}", headers: { "content-type": "text/plain" } });
  assert.deepEqual(JSON.parse((await read(await fakeApi({})(typed))).text), {
    message: "Content-Type specified (text/plain) must be 'application/json'",
  });
  const endless = (async function* () {
    for (;;) yield new Uint8Array(1 << 20);
  })();
  const answer = await fakeApi({})({ ...request("POST", "/containers/create"), body: endless });
  assert.match((await read(answer)).text, /larger than 16777216 bytes/);
});

test("asking for what tsbox does not do is refused or warned about, never dropped", async () => {
  const create = async () => ({ id: "c".repeat(64) as ContainerId, warnings: [] });
  const api = fakeApi({ containers: { create } });
  const ask = (HostConfig: object) => json(api, "POST", "/containers/create", { Image: "x", HostConfig });
  assert.equal((await ask({ VolumesFrom: ["other"] })).status, 501);
  assert.equal((await ask({ LogConfig: { Type: "syslog" } })).status, 501);
  assert.equal((await ask({ MaskedPaths: [] })).status, 501);
  assert.equal((await ask({ MaskedPaths: ["/proc/keys"], ReadonlyPaths: [] })).status, 501);
  assert.equal((await ask({ MaskedPaths: [], ReadonlyPaths: [] })).status, 201);
  const warned = await ask({ PortBindings: { "80/tcp": [{ HostPort: "8080" }] } });
  assert.match(warned.body.Warnings[0], /not published/);
});

test("an error's kind decides the status, and 304 has neither body nor type", async () => {
  const failWith = (error: Error) => fakeApi({ containers: { start: () => Promise.reject(error) } });
  const statuses = await Promise.all(
    (
      ["invalid", "not-found", "conflict", "forbidden", "unsupported", "unavailable", "failed", "cannot-start"] as const
    ).map(async (code) => (await json(failWith(new TsboxError(code, "why")), "POST", "/containers/x/start")).status),
  );
  assert.deepEqual(statuses, [400, 404, 409, 403, 501, 503, 500, 400]);
  const answer = await failWith(new TsboxError("not-modified", "runs"))(request("POST", "/containers/x/start"));
  assert.deepEqual(
    [answer.status, answer.kind === "reply" && answer.body, answer.headers["content-type"]],
    [304, null, undefined],
  );
});

/** Every path in a JSON value; the keys of maps named by users are all the same. */
function paths(value: unknown, at = ""): string[] {
  if (typeof value !== "object" || value === null) return [at];
  if (Array.isArray(value)) return [at];
  return Object.entries(value).flatMap(([key, inner]) =>
    paths(inner, `${at}.${/\.(Networks|Ports|PortBindings|Labels|ExposedPorts)$/.test(at) ? "*" : key}`),
  );
}

const startedPlan: Plan = {
  steps: [
    {
      op: "spawn",
      create: ["mount"],
      join: null,
      idMaps: null,
      child: [
        {
          op: "overlay",
          lowers: ["/l/1" as HostPath, "/l/2" as HostPath],
          upper: "/c/upper" as HostPath,
          work: "/c/work" as HostPath,
          target: "/c/merged" as HostPath,
          via: "mount",
          idMaps: null,
          flags: [],
        },
      ],
    },
  ],
};

test("inspect has every path that dockerd's has", async () => {
  const record = sampleRecord(
    { Labels: { tier: "web" }, ExposedPorts: { "80": {} } },
    { state: "running", plan: startedPlan },
  );
  const { body } = await json(fakeApi({ containers: { get: async () => record } }), "GET", "/containers/x/json");
  const oracle = JSON.parse(readFileSync(new URL("testing/container-inspect.json", import.meta.url), "utf8"));
  const ours = new Set(paths(body));
  const lacking = paths(oracle).filter((path) => !ours.has(path) && !/\.(PortBindings|Ports)\.\*/.test(path));
  assert.deepEqual(lacking, []);
});

test("inspect says what is mounted and which network there is", async () => {
  const record = sampleRecord({}, { state: "running", plan: startedPlan, pid: 7 });
  const { body } = await json(fakeApi({ containers: { get: async () => record } }), "GET", "/containers/x/json");
  assert.equal(body.HostConfig.NetworkMode, "none");
  assert.deepEqual(Object.keys(body.NetworkSettings.Networks), ["none"]);
  assert.deepEqual(body.GraphDriver.Data, {
    LowerDir: "/l/2:/l/1",
    MergedDir: "/c/merged",
    UpperDir: "/c/upper",
    WorkDir: "/c/work",
  });
});

test("inspect gives -v, --mount and --tmpfs back each where Docker has it", async () => {
  const HostConfig = {
    Binds: ["data:/data:ro"],
    Mounts: [{ Type: "bind", Source: "/src", Target: "/dst", ReadOnly: true }],
    Tmpfs: { "/run": "size=1m" },
  };
  const record = sampleRecord({ HostConfig });
  const { body } = await json(fakeApi({ containers: { get: async () => record } }), "GET", "/containers/x/json");
  const { Binds, Mounts, Tmpfs } = body.HostConfig;
  assert.deepEqual({ Binds, Mounts, Tmpfs }, HostConfig);
});

const container = (name: string, state: "running" | "exited" | "created", digit: string, labels = {}) =>
  sampleRecord(
    { Labels: labels },
    { name, state, id: digit.repeat(64) as ContainerId, exitCode: state === "exited" ? 3 : 0 },
  );
const three = [
  container("c", "created", "3"),
  container("b", "exited", "2", { t: "db" }),
  container("a", "running", "1", { t: "web" }),
];

const lists: readonly [query: string, names: string[]][] = [
  ["", ["a"]],
  ["all=1", ["c", "b", "a"]],
  ["all=True&limit=-1", ["c", "b", "a"]],
  ["limit=2", ["c", "b"]],
  ['filters={"status":["exited"]}', ["b"]],
  ['filters={"exited":{"3":true}}', ["b"]],
  ['all=1&filters={"label":["t"]}', ["b", "a"]],
  ['all=1&filters={"label":{"t=web":true}}', ["a"]],
  ['all=1&filters={"label!":["t=web"]}', ["c", "b"]],
  ['all=1&filters={"name":["^/b$"]}', ["b"]],
  ['all=1&filters={"name":["("]}', []],
  ['all=1&filters={"id":["22"]}', ["b"]],
  ['all=1&filters={"before":["b"]}', ["a"]],
  ['all=1&filters={"since":["b"]}', ["c"]],
  ['all=1&filters={"ancestor":["nothing"]}', []],
  ["all=1&filters=", ["c", "b", "a"]],
];

for (const [query, names] of lists)
  test(`the container list with "${query}" shows ${names.join(" ") || "nothing"}`, async () => {
    const get = async (ref: string) => three.find(({ name }) => name === ref) ?? notFound(ref);
    const api = fakeApi({
      containers: { list: async () => three, get },
      images: { get: async (ref) => notFound(ref) },
    });
    const { status, body } = await json(api, "GET", `/containers/json?${query.replaceAll('"', "%22")}`);
    assert.equal(status, 200);
    assert.deepEqual(
      body.map((summary: { Names: string[] }) => summary.Names[0]),
      names.map((name) => `/${name}`),
    );
  });

for (const filters of ["{", "7", '{"zz":["1"]}', '{"status":["zz"]}', '{"label":7}'])
  test(`the container list refuses the filters ${filters}`, async () => {
    const answer = await json(fakeApi({}), "GET", `/containers/json?filters=${encodeURIComponent(filters)}`);
    assert.equal(answer.status, 400);
    assert.match(answer.body.message, /invalid filter/);
  });

function attachment(output: OutputChunk[], given: string[]): Attachment {
  return {
    output: (async function* () {
      yield* output;
    })(),
    write: async (bytes) => void given.push(new TextDecoder().decode(bytes)),
    closeInput: async () => void given.push("<end>"),
    close: () => void given.push("<close>"),
  };
}

const chunks: OutputChunk[] = [
  { stream: "stdout", bytes: encodeText("out") },
  { stream: "stderr", bytes: encodeText("err") },
];

test("attach frames the streams asked for and passes input on", async () => {
  const given: string[] = [];
  const api = fakeApi({
    containers: { get: async () => sampleRecord({ OpenStdin: true }), attach: async () => attachment(chunks, given) },
  });
  const target = "/v1.41/containers/x/attach?stream=1&stdin=1&stdout=1&stderr=1";
  const answer = await api(request("POST", target, { headers: { upgrade: "tcp", connection: "Upgrade" } }));
  assert.equal(answer.status, 101);
  assert.equal(answer.headers["content-type"], "application/vnd.docker.raw-stream");
  const { text } = await read(answer, [encodeText("in")]);
  assert.equal(text, "\u0001\0\0\0\0\0\0\u0003out\u0002\0\0\0\0\0\0\u0003err");
  assert.deepEqual(
    given.filter((item) => item !== "<close>"),
    ["in", "<end>"],
  );
});

test("attach without upgrade is a 200, and since 1.42 the type tells frames", async () => {
  const api = fakeApi({ containers: { get: async () => sampleRecord(), attach: async () => attachment(chunks, []) } });
  const answer = await api(request("POST", "/containers/x/attach?stream=1&stdout=1"));
  assert.deepEqual([answer.status, answer.headers["content-type"]], [200, "application/vnd.docker.multiplexed-stream"]);
  assert.equal((await read(answer)).text, "\u0001\0\0\0\0\0\0\u0003out");
});

test("on a terminal the detach keys end the session and are not passed on", async () => {
  const given: string[] = [];
  const silent = {
    ...attachment([], given),
    output: { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) },
  };
  const api = fakeApi({
    containers: { get: async () => sampleRecord({ OpenStdin: true, Tty: true }), attach: async () => silent },
  });
  const answer = await api(request("POST", "/containers/x/attach?stream=1&stdin=1&stdout=1"));
  assert.equal((await read(answer, [encodeText("ab\x10"), encodeText("\x11cd")])).text, "");
  assert.deepEqual(given, ["ab", "<close>"]);
});

test("a failed exec is told as output, because the connection is the client's already", async () => {
  const state = {
    id: "e".repeat(64) as ExecId,
    container: "c".repeat(64) as ContainerId,
    request: {
      argv: ["nosuch"],
      env: [],
      user: "",
      workingDir: "",
      tty: false,
      privileged: false,
      attachStdin: false,
      attachStdout: true,
      attachStderr: true,
      consoleSize: [0, 0],
    },
    running: false,
    pid: 0,
    exit: null,
    failedCode: null,
  } as const;
  const api = fakeApi({
    execs: { get: async () => state, start: () => Promise.reject(new TsboxError("cannot-start", "no such program")) },
  });
  const answer = await api(
    request("POST", "/exec/e/start", { body: { Detach: false, Tty: false }, headers: { upgrade: "tcp" } }),
  );
  assert.equal(answer.status, 101);
  assert.equal((await read(answer)).text, "\u0001\0\0\0\0\0\0\u0011no such program\r\n");
  const detached = await json(api, "POST", "/exec/e/start", { Detach: true });
  assert.deepEqual(detached, { status: 400, body: { message: "no such program" } });
});

test("wait answers at once and says the code when the container has ended", async () => {
  const ended = Promise.withResolvers<{ code: number; error: string | null }>();
  const api = fakeApi({ containers: { wait: async () => ({ exit: ended.promise }) } });
  const answer = await api(request("POST", "/containers/x/wait?condition=removed"));
  assert.equal(answer.status, 200);
  ended.resolve({ code: 127, error: null });
  assert.equal((await read(answer)).text, '{"StatusCode":127,"Error":null}\n');
  assert.equal((await json(api, "POST", "/containers/x/wait?condition=zz")).status, 400);
});

test("a wait that nobody waits for any more ends", async () => {
  const gone = new AbortController();
  const api = fakeApi({ containers: { wait: async () => ({ exit: new Promise(() => {}) }) } });
  const answer = await api(request("POST", "/containers/x/wait", { signal: gone.signal }));
  const body = read(answer);
  gone.abort();
  assert.equal((await body).text, "");
});

test("logs put times inside the frames and demand a stream", async () => {
  const entries = async () =>
    (async function* () {
      yield { stream: "stderr", time: "2026-01-01T00:00:00.5Z", bytes: encodeText("x\n") } as const;
    })();
  const api = fakeApi({ containers: { get: async () => sampleRecord(), logs: entries } });
  const { text } = await read(await api(request("GET", "/containers/x/logs?stderr=1&timestamps=1")));
  assert.equal(text, "\u0002\0\0\0\0\0\0\u0019" + "2026-01-01T00:00:00.5Z x\n");
  assert.deepEqual(await json(api, "GET", "/containers/x/logs"), {
    status: 400,
    body: { message: "Bad parameters: you must choose at least one stream" },
  });
});

test("times in a query are seconds with a fraction, and 0 means none", async () => {
  const asked: unknown[] = [];
  const api = fakeApi({
    containers: {
      get: async () => sampleRecord(),
      logs: async (_ref, { since, until, tail }) => {
        asked.push([since, until, tail]);
        return (async function* () {})();
      },
    },
  });
  for (const query of ["since=1.5&until=0", "since=2026-01-01T00:00:00Z&tail=all", "since=&tail=3"])
    await read(await api(request("GET", `/containers/x/logs?stdout=1&${query}`)));
  assert.deepEqual(asked, [
    [1_500_000_000n, null, null],
    [1_767_225_600_000_000_000n, null, null],
    [null, null, 3],
  ]);
  assert.equal((await json(api, "GET", "/containers/x/logs?stdout=1&since=zz")).status, 400);
});

test("events are lines of JSON with full nanoseconds, filtered", async () => {
  const event = (action: string, name: string): Event => ({
    type: "container",
    action,
    id: name.repeat(64),
    attributes: { name, image: "busybox" },
    time: 1_795_451_300_405_058_732n,
  });
  const api = fakeApi({
    events: async function* ({ accepts }) {
      yield* [event("start", "a"), event("die", "b"), event("exec_create: sh", "a")].filter(accepts);
    },
  });
  const { text } = await read(await api(request("GET", '/events?filters={"container":["a"],"event":["start"]}')));
  assert.deepEqual(
    text,
    `${JSON.stringify({
      status: "start",
      id: "a".repeat(64),
      from: "busybox",
      Type: "container",
      Action: "start",
      Actor: { ID: "a".repeat(64), Attributes: { name: "a", image: "busybox" } },
      scope: "local",
      time: 1795451300,
    }).slice(0, -1)},"timeNano":1795451300405058732}\n`,
  );
});

test("load tells each image, and an error before the first one keeps its status", async () => {
  const broken = fakeApi({
    images: {
      load: async function* () {
        yield* [];
        throw new TsboxError("corrupt", "the archive is truncated");
      },
    },
  });
  assert.deepEqual(await json(broken, "POST", "/images/load"), {
    status: 400,
    body: { message: "the archive is truncated" },
  });
});

test("history tells each step newest first, with the bytes of its layer", async () => {
  const step = (createdBy: string, emptyLayer: boolean) => ({ created: "", createdBy, comment: "", emptyLayer });
  const image: Image = {
    ...memoryImage("x:1"),
    layerSizes: [10, 20],
    history: [step("add", false), step("env", true), step("run", false)],
  };
  const { body } = await json(fakeApi({ images: { get: async () => image } }), "GET", "/images/x/history");
  assert.deepEqual(
    body.map((line: { CreatedBy: string; Size: number; Id: string; Tags: string[] | null }) => [
      line.CreatedBy,
      line.Size,
      line.Id === image.id,
      line.Tags,
    ]),
    [
      ["run", 20, true, ["x:1"]],
      ["env", 0, false, null],
      ["add", 10, false, null],
    ],
  );
});

test("a pull hands on the login, tells as Docker tells, and keeps an early error's status", async () => {
  const asked: unknown[] = [];
  const transfers: Transfer[] = [
    { kind: "status", status: "Pulling from bb", id: "1" },
    { kind: "layer", id: "0123456789ab", status: "Downloading", bytes: { current: 19_968, total: 1_985_613 } },
    { kind: "layer", id: "0123456789ab", status: "Pull complete" },
  ];
  const api = fakeApi({
    registry: {
      pull: (name, options, { credentials }) => {
        asked.push(name, options, credentials.username);
        return streamOfTransfers(transfers);
      },
    },
  });
  const headers = { "x-registry-auth": Buffer.from('{"username":"maria","password":"x"}').toString("base64url") };
  const target = "/images/create?fromImage=host:5000/bb&tag=1&platform=linux/arm64";
  const answer = await api(request("POST", target, { headers }));
  assert.deepEqual(asked, [
    "host:5000/bb:1",
    { all: false, platform: { os: "linux", architecture: "arm64", variant: "" } },
    "maria",
  ]);
  const lines = (await read(answer)).text.split("\r\n");
  assert.deepEqual(lines, [
    '{"status":"Pulling from bb","id":"1"}',
    `{"status":"Downloading","progressDetail":{"current":19968,"total":1985613},"progress":"[>${" ".repeat(50)}]  19.97kB/1.986MB","id":"0123456789ab"}`,
    '{"status":"Pull complete","progressDetail":{},"id":"0123456789ab"}',
    "",
  ]);
  const failing = fakeApi({
    registry: { pull: () => notFound("manifest unknown") },
  });
  assert.equal((await json(failing, "POST", "/images/create?fromImage=a&tag=1")).status, 404);
});

async function* streamOfTransfers(transfers: readonly Transfer[]): AsyncGenerator<Transfer, void> {
  yield* transfers;
}

test("a login that cannot be read is none, and auth checks what it is given", async () => {
  const seen: string[] = [];
  const api = fakeApi({
    registry: {
      push: (name, { credentials }) => {
        seen.push(`${name} ${credentials.username}`);
        return streamOfTransfers([]);
      },
      login: async (server, { credentials }) => {
        seen.push(`${server} ${credentials.username}:${credentials.password}`);
        return { identityToken: null };
      },
    },
  });
  await api(request("POST", "/images/host:5000/a/b/push?tag=1", { headers: { "x-registry-auth": "!!!" } }));
  const auth = await json(api, "POST", "/auth", {
    auth: Buffer.from("u:p:q").toString("base64"),
    serveraddress: "host:5000",
  });
  assert.deepEqual(auth, { status: 200, body: { IdentityToken: "", Status: "Login Succeeded" } });
  assert.deepEqual(seen, ["host:5000/a/b:1 ", "host:5000 u:p:q"]);
});

test("only none and host are networks", async () => {
  const { body } = await json(fakeApi({}), "GET", "/networks");
  assert.deepEqual(
    body.map(({ Name }: { Name: string }) => Name),
    ["none", "host"],
  );
  assert.deepEqual(await json(fakeApi({}), "GET", "/networks/bridge"), {
    status: 404,
    body: { message: "network bridge not found" },
  });
});

test("swarm and plugins are asked after by clients: there are none", async () => {
  assert.equal((await json(fakeApi({}), "GET", "/nodes")).status, 503);
  assert.deepEqual(await json(fakeApi({}), "GET", "/plugins"), { status: 200, body: [] });
  assert.equal((await json(fakeApi({}), "GET", "/plugins/x/json")).status, 404);
});

test("info and version have every path that dockerd's have", async () => {
  const ofAll = new Set<string>();
  for (const name of ["version", "info"]) {
    const { body } = await json(fakeApi({}), "GET", `/${name}`);
    for (const path of paths(body)) ofAll.add(path);
    const oracle = JSON.parse(readFileSync(new URL(`testing/${name}.json`, import.meta.url), "utf8"));
    const lacking = paths(oracle).filter((path) => !ofAll.has(path) && !/IndexConfigs|Runtimes/.test(path));
    assert.deepEqual(lacking, []);
  }
});
