/** Whatever a client sends, it gets an answer that blames it clearly: never a 500, never silence. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ContainerId } from "../core/base/brand.ts";
import { fakeApi, notFound, read, request } from "./testing/fake-engine.ts";
import { createSchema } from "./wire/create-request.ts";

const get = async (ref: string) => notFound(ref);
const api = fakeApi({
  containers: { create: async () => ({ id: "c".repeat(64) as ContainerId, warnings: [] }), get, plan: get },
  images: { get },
  execs: { get },
  volumes: { get },
  events: async function* () {},
});
const fields = Object.keys(createSchema.entries);
const hostFields = [
  "Binds",
  "Mounts",
  "Tmpfs",
  "Memory",
  "PidsLimit",
  "RestartPolicy",
  "Ulimits",
  "Devices",
  "LogConfig",
];

const oddText = fc.oneof(
  fc.string(),
  fc.constantFrom("", "/", ":", "a:b:c:d", "/a:/b:ro,rw", "\0", "__proto__", "../.."),
);
const oddValue = fc.oneof(fc.jsonValue(), oddText, fc.array(oddText), fc.dictionary(oddText, fc.jsonValue()));
const body = fc
  .tuple(
    fc.dictionary(fc.constantFrom(...fields), oddValue, { maxKeys: 3 }),
    fc.dictionary(fc.constantFrom(...hostFields), oddValue, { maxKeys: 3 }),
  )
  .map(([config, HostConfig]) => ({ Image: "busybox", HostConfig, ...config }));

test("no body of create is our fault", async () => {
  await fc.assert(
    fc.asyncProperty(body, async (sent) => {
      const { status, text } = await read(await api(request("POST", "/containers/create", { body: sent })));
      assert.ok([201, 400, 501].includes(status), `${status} ${text}`);
      if (status !== 201) assert.equal(typeof JSON.parse(text).message, "string");
    }),
    { numRuns: 500 },
  );
});

test("no path or query is our fault", async () => {
  const path = fc.array(fc.oneof(fc.constantFrom("containers", "images", "json", "exec", "v1.41", "events"), oddText), {
    maxLength: 5,
  });
  const target = fc.tuple(path, fc.array(fc.tuple(oddText, oddText), { maxLength: 3 })).map(([parts, query]) => {
    const pairs = query.map(([name, value]) => `${encodeURIComponent(name)}=${value}`);
    return `/${parts.join("/")}?filters={&${pairs.join("&")}`;
  });
  await fc.assert(
    fc.asyncProperty(target, fc.constantFrom("GET", "HEAD", "PUT", "TRACE"), async (asked, method) => {
      const { status } = await read(await api(request(method, asked)));
      assert.ok(status < 500 || status === 501 || status === 503, String(status));
    }),
    { numRuns: 500 },
  );
});
