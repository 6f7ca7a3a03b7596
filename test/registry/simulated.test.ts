import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import test from "node:test";
import type { RegistryDependencies } from "../../core/engine/registry.ts";
import { defaultRegistryConfig } from "../../core/image/registry/endpoints.ts";
import { networkError } from "../../core/image/registry/http.ts";
import { wasmHasher } from "../../host/hasher.ts";
import { replay, rootOf } from "../../host/replay.ts";
import { Session } from "../../host/testing/session.ts";
import { dockerArchive, entry, layerOf } from "../images/forge.ts";
import { registryInMemory, seeing } from "./in-memory.ts";

// The simulated host's registries at its console: registry.sim inside the machine, a mirror and real ones outside of it.

const pause = (): Promise<void> => setImmediate();

async function archive(): Promise<Uint8Array> {
  const layers = [await layerOf(entry("etc/hello", "hello\n")), await layerOf(entry("large", "x".repeat(200_000)))];
  return dockerArchive({ names: ["app:1"], layers, config: { config: { Cmd: ["sh"] } } });
}

async function sessionWith(registry?: RegistryDependencies): Promise<Session> {
  const session = await Session.begin(pause, registry === undefined ? {} : { registry });
  session.give("app.tar", await archive());
  await session.run("tsbox load -q -i app.tar");
  return session;
}

test("an image is pushed to registry.sim, removed and pulled again, and lies in files of the machine", async () => {
  const session = await sessionWith();
  const id = await session.run("tsbox images -q --no-trunc app:1");
  assert.match(id, /^sha256:/);
  await session.run("tsbox tag app:1 registry.sim/me/app:1");
  const pushed = await session.run("tsbox push registry.sim/me/app:1");
  const [, digest] = /^1: digest: (sha256:[0-9a-f]{64}) size: \d+$/m.exec(pushed) ?? [];
  assert.ok(digest !== undefined, pushed);
  await session.run("tsbox rmi app:1 registry.sim/me/app:1");
  const pulled = await session.run("tsbox pull registry.sim/me/app:1");
  assert.ok(pulled.includes(`Digest: ${digest}`), pulled);
  assert.match(pulled, /Status: Downloaded newer image for registry\.sim\/me\/app:1/);
  assert.equal(await session.run("tsbox images -q --no-trunc registry.sim/me/app:1"), id);
  assert.equal(await session.run("echo $(cat /var/lib/registry/repositories/me/app/_tags/1)"), digest);
  assert.match(await session.run("tsbox search registry.sim/app"), /me\/app/);
  assert.match(await session.run("tsbox pull registry.sim/me/other"), /manifest unknown|not found/);
});

test("what lies in a registry is listed, shown and removed there, without a pull", async () => {
  const session = await sessionWith();
  for (const name of ["registry.sim/me/app:1", "registry.sim/me/app:2", "registry.sim/other"])
    await session.run(`tsbox tag app:1 ${name} && tsbox push -q ${name} && tsbox rmi ${name}`);
  assert.equal(await session.run("tsbox registry ls registry.sim"), "me/app\nother");
  assert.equal(await session.run("tsbox registry tags registry.sim/me/app"), "1\n2");
  const digest = await session.run("tsbox registry manifest -f '{{.Digest}}' registry.sim/me/app:2");
  assert.equal(await session.run("echo $(cat /var/lib/registry/repositories/me/app/_tags/2)"), digest);
  assert.equal(
    await session.run("tsbox registry manifest --raw registry.sim/me/app:1 | sha256sum"),
    `${digest.slice(7)}  -`,
  );
  assert.match(await session.run("tsbox registry manifest registry.sim/me/app:1"), /^\{\n {4}"schemaVersion": 2,\n/);
  assert.match(await session.run("tsbox registry manifest registry.sim/me/app:3"), /manifest unknown/);
  assert.match(await session.run("tsbox registry referrers registry.sim/me/app:1"), /^DIGEST +ARTIFACT TYPE$/);
  assert.equal(await session.run("tsbox registry rm registry.sim/me/app:2"), digest);
  assert.match(await session.run("tsbox registry manifest registry.sim/me/app:1"), /manifest unknown/);
  assert.match(await session.run("tsbox pull registry.sim/me/app:2"), /manifest for \S+ not found/);
  assert.match(await session.run("tsbox pull registry.sim/other"), /Downloaded newer image/);
});

test("a session with registry.sim is the same when it is lived again", async () => {
  const session = await sessionWith();
  for (const line of ["tag app:1 registry.sim/a", "push registry.sim/a", "rmi registry.sim/a", "pull registry.sim/a"])
    await session.run(`tsbox ${line}`);
  const hasher = await wasmHasher();
  const root = rootOf(session.host.kernel, hasher);
  const recorded = { seed: 1, now: "1767225600000000000", size: { rows: 24, columns: 200 }, entries: session.entries };
  const files = new Map([["app.tar", await archive()]]);
  const world = { pause, hasher, embedded: () => null, fileOf: (name: string) => files.get(name) ?? new Uint8Array() };
  assert.deepEqual(await replay(recorded, world), { same: true, root });
});

test("without a network outside, registry.sim is named as the one that can be reached", async () => {
  const session = await sessionWith();
  const said = await session.run("tsbox pull registry.example/app");
  assert.match(said, /cannot reach registry\.example: the simulated network has one registry, registry\.sim/);
});

test("a registry outside is asked through the way outside, after the mirrors that stand before it", async () => {
  const { fetch, store } = await registryInMemory();
  const outside = seeing(async (request) => {
    if (new URL(request.url).host === "mirror.example") return fetch(request);
    throw networkError("refused", `cannot reach ${new URL(request.url).host} from here`);
  });
  const config = { ...defaultRegistryConfig, mirrors: ["https://mirror.example"] };
  const session = await sessionWith({ fetch: outside.fetch, config });
  assert.match(await session.run("tsbox pull registry.example/app"), /cannot reach registry\.example from here/);
  await session.run("tsbox tag app:1 mirror.example/library/there:1 && tsbox push mirror.example/library/there:1");
  assert.deepEqual(await store.tags("library/there"), ["1"]);
  assert.match(await session.run("tsbox pull there:1"), /Status: .* for there:1/);
  assert.match(await session.run("tsbox pull elsewhere:1"), /manifest for elsewhere:1 not found/);
  assert.ok(outside.seen.every(({ url }) => !url.includes("registry.sim")));
});
