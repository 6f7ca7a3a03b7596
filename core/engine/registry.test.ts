import assert from "node:assert/strict";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { linuxPorts } from "../../backends/linux/ports.ts";
import { directory, entry, tarOf } from "../../test/images/forge.ts";
import { digestOfBytes, digestOfText, HurriedClock, registryInMemory, seeing } from "../../test/registry/in-memory.ts";
import { type ByteStream, concat } from "../base/bytes.ts";
import { TsboxError } from "../base/error.ts";
import { mediaTypes } from "../image/descriptor.ts";
import type { Digest } from "../image/digest.ts";
import { anonymous } from "../image/registry/credentials.ts";
import { defaultRegistryConfig, type RegistryConfig } from "../image/registry/endpoints.ts";
import { type Fetch, networkError } from "../image/registry/http.ts";
import type { RegistryStore } from "../image/registry/server-store.ts";
import { platformOf } from "../image/platform.ts";
import { EventLog } from "./event-log.ts";
import type { ImageStore } from "./image-store.ts";
import { openImages } from "./images.ts";
import { type Registry, registryOf } from "./registry.ts";
import { MemoryMachine } from "./testing/memory-machine.ts";
import type { Transfer } from "./transfer.ts";

// What the engine does with a registry, on a machine in memory and without a network; faults are put between the two.

const asker = { credentials: anonymous, signal: null };
const name = "registry.test/team/app:1";

interface House {
  readonly machine: MemoryMachine;
  readonly images: ImageStore;
  readonly registry: Registry;
  readonly clock: HurriedClock;
}

async function house(
  fetch: Fetch,
  machine = new MemoryMachine(),
  config: Partial<RegistryConfig> = {},
): Promise<House> {
  const clock = new HurriedClock();
  const ports = { ...linuxPorts, clock };
  const { disk, layers } = machine;
  const images = await openImages({ disk, layers, ports });
  const parts = { images, disk, ports, platform: platformOf("amd64", undefined), events: new EventLog(clock) };
  const registry = registryOf(parts, { fetch, config: { ...defaultRegistryConfig, ...config } });
  return { machine, images, registry, clock };
}

async function pull({ registry }: House, reference = name): Promise<string[]> {
  return lines(registry.pull(reference, { all: false, platform: null }, asker));
}

async function push({ registry }: House, reference: string): Promise<string[]> {
  return lines(registry.push(reference, asker));
}

async function lines(transfers: AsyncIterable<Transfer>): Promise<string[]> {
  const told: string[] = [];
  for await (const transfer of transfers) {
    if (transfer.kind === "status")
      told.push(`${transfer.id === undefined ? "" : `${transfer.id}: `}${transfer.status}`);
    if (transfer.kind === "layer" && transfer.bytes === undefined) told.push(`${transfer.id}: ${transfer.status}`);
  }
  return told;
}

interface Forged {
  readonly manifest: Digest;
  readonly config: Digest;
  readonly layers: readonly Uint8Array[];
}

/** An image of so many layers, put into a registry's store as its tag 1. */
async function stocked(
  store: RegistryStore,
  options: {
    layers?: number;
    compress?: boolean;
    tag?: string;
    mangle?: (manifest: Record<string, unknown>) => void;
  } = {},
): Promise<Forged> {
  const { layers: count = 2, compress = true, tag = "1", mangle = () => {} } = options;
  const tars = await Promise.all(Array.from({ length: count }, (_, at) => layerNumber(at)));
  const blobs = tars.map((tar) => (compress ? new Uint8Array(gzipSync(tar)) : tar));
  const config = {
    architecture: "amd64",
    os: "linux",
    config: {},
    rootfs: { type: "layers", diff_ids: tars.map(digestOfBytes) },
  };
  const configBytes = new TextEncoder().encode(JSON.stringify(config));
  const manifest: Record<string, unknown> = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, digest: digestOfBytes(configBytes), size: configBytes.length },
    layers: blobs.map((blob) => ({
      mediaType: compress ? mediaTypes.layerGzip : mediaTypes.layer,
      digest: digestOfBytes(blob),
      size: blob.length,
    })),
  };
  mangle(manifest);
  for (const blob of [configBytes, ...blobs]) await put(store, blob);
  return {
    manifest: await putManifest(store, JSON.stringify(manifest), mediaTypes.manifest, tag),
    config: digestOfBytes(configBytes),
    layers: blobs,
  };
}

async function put(store: RegistryStore, bytes: Uint8Array): Promise<void> {
  const file = store.upload("stocked");
  await store.disk.writeAtomically(file, bytes);
  await store.takeBlob("team/app", digestOfBytes(bytes), file);
}

async function putManifest(store: RegistryStore, text: string, mediaType: string, tag: string): Promise<Digest> {
  const digest = digestOfText(text);
  await store.putManifest("team/app", { digest, mediaType, bytes: new TextEncoder().encode(text) });
  await store.setTag("team/app", tag, digest);
  return digest;
}

function layerNumber(at: number): Promise<Uint8Array> {
  const lines = Array.from({ length: 3000 }, (_, line) => (line * 2_654_435_761 + at) % 9_999_991);
  return tarOf(directory(`dir${at}`), entry(`dir${at}/file`, lines.join("\n")));
}

test("a pull brings an image as it is in the registry, and a second one costs one request", async () => {
  const { fetch: own, store } = await registryInMemory();
  const forged = await stocked(store);
  const { fetch, seen } = seeing(own);
  const here = await house(fetch);
  const told = await pull(here);
  const ids = forged.layers.map((layer) => digestOfBytes(layer).slice(7, 19));
  assert.deepEqual(told.slice(0, 3), ["1: Pulling from team/app", ...ids.map((id) => `${id}: Pulling fs layer`)]);
  for (const id of ids) assert.ok(told.includes(`${id}: Pull complete`));
  assert.deepEqual(told.slice(-2), [`Digest: ${forged.manifest}`, `Status: Downloaded newer image for ${name}`]);
  const image = await here.images.get(name);
  assert.equal(image.id, forged.config);
  assert.deepEqual(image.digests, [`registry.test/team/app@${forged.manifest}`]);
  assert.equal(seen.length, 4, "manifest, configuration, two layers");
  seen.length = 0;
  assert.deepEqual((await pull(here)).slice(-1), [`Status: Image is up to date for ${name}`]);
  assert.deepEqual(
    seen.map(({ method }) => method),
    ["HEAD"],
  );
});

test("an image for several platforms comes by its index, which stays its digest at the registry", async () => {
  const { fetch, store } = await registryInMemory();
  const forged = await stocked(store);
  const size = (await store.manifest("team/app", forged.manifest))?.bytes.length;
  const platforms = ["arm64", "amd64"].map((architecture) => ({
    mediaType: mediaTypes.manifest,
    size,
    digest: architecture === "amd64" ? forged.manifest : digestOfText("nowhere"),
    platform: { os: "linux", architecture },
  }));
  const text = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests: platforms });
  const index = await putManifest(store, text, mediaTypes.index, "1");
  const here = await house(fetch);
  await pull(here);
  assert.equal((await here.images.get(name)).id, forged.config);
  assert.deepEqual((await here.images.get(`registry.test/team/app@${index}`)).digests, [
    `registry.test/team/app@${index}`,
  ]);
  await pull(here, `registry.test/team/app@${index}`);
  const described = await here.registry.describe(name, asker);
  assert.deepEqual(
    described.platforms.map(({ architecture }) => architecture),
    ["arm64", "amd64"],
  );
});

test("a tag that moves while it is pulled changes nothing", async () => {
  const { fetch: own, store } = await registryInMemory();
  const before = await stocked(store);
  let moved = false;
  const fetch: Fetch = async (request) => {
    const response = await own(request);
    if (!moved && request.url.includes("/manifests/")) {
      moved = true;
      await stocked(store, { layers: 3 });
    }
    return response;
  };
  const here = await house(fetch);
  await pull(here);
  assert.equal((await here.images.get(name)).id, before.config);
  assert.deepEqual((await pull(here)).slice(-1), [`Status: Downloaded newer image for ${name}`], "and then it is news");
});

test("a pull that fails leaves what it has for the next one, which asks only for the rest", async () => {
  const { fetch: own, store } = await registryInMemory();
  const { layers, config } = await stocked(store, { layers: 1 });
  const [layer = new Uint8Array(0)] = layers;
  const half = Math.floor(layer.length / 2);
  const isLayer = (url: string): boolean => url.endsWith(digestOfBytes(layer));
  const dying: Fetch = async (request) => {
    const response = await own(request);
    if (!isLayer(request.url)) return response;
    if (request.headers["range"] !== undefined)
      throw networkError("refused", "cannot reach registry.test: it went away");
    return { ...response, body: cut(response.body, half) };
  };
  const { machine } = await house(dying).then(async (here) => {
    await assert.rejects(pull(here), /it went away/);
    await assert.rejects(here.images.get(name), /No such image/);
    return here;
  });
  const { fetch, seen } = seeing(own);
  const again = await house(fetch, machine.reopen());
  await pull(again);
  assert.equal((await again.images.get(name)).id, config);
  const [asked] = seen.filter(({ url }) => isLayer(url));
  assert.equal(asked?.headers["range"], `bytes=${half}-`);
});

async function* cut(stream: ByteStream, after: number): ByteStream {
  let left = after;
  for await (const chunk of stream) {
    if (chunk.length >= left) {
      yield chunk.subarray(0, left);
      throw networkError("broken", "cut");
    }
    left -= chunk.length;
    yield chunk;
  }
}

test("bytes of an earlier try that turn out to be wrong are fetched anew", async () => {
  const { fetch: own, store } = await registryInMemory();
  const { layers, config } = await stocked(store, { layers: 1 });
  const [layer = new Uint8Array(0)] = layers;
  const isLayer = (url: string): boolean => url.endsWith(digestOfBytes(layer));
  const lying: Fetch = async (request) => {
    const response = await own(request);
    if (!isLayer(request.url)) return response;
    if (request.headers["range"] !== undefined) throw networkError("refused", "gone");
    const flipped = layer.map((byte, at) => (at === 11 ? byte ^ 1 : byte));
    return { ...response, body: cut(one(flipped), 100) };
  };
  const first = await house(lying);
  await assert.rejects(pull(first), /gone/);
  const again = await house(own, first.machine.reopen());
  await pull(again);
  assert.equal((await again.images.get(name)).id, config);
});

async function* one(bytes: Uint8Array): ByteStream {
  yield bytes;
}

test("a blob with other bytes than its digest says is refused and leaves nothing", async () => {
  for (const which of ["layer", "config", "manifest"] as const) {
    const { fetch: own, store } = await registryInMemory();
    const { layers, config } = await stocked(store, { layers: 1 });
    const target = { layer: digestOfBytes(layers[0] ?? new Uint8Array(0)), config, manifest: "/manifests/1" }[which];
    const lying: Fetch = async (request) => {
      const response = await own(request);
      return request.url.endsWith(target) ? { ...response, body: flipped(response.body) } : response;
    };
    const here = await house(lying);
    await assert.rejects(
      pull(here),
      (thrown: unknown) => thrown instanceof TsboxError && thrown.code === "corrupt",
      which,
    );
    assert.deepEqual(await here.images.list(), []);
    assert.equal(here.machine.world.layers.size, 0);
  }
});

async function* flipped(stream: ByteStream): ByteStream {
  for await (const chunk of stream) yield chunk.map((byte, at) => (at === chunk.length - 5 ? byte ^ 4 : byte));
}

test("manifests that nobody should believe are refused in words, before anything is fetched for them", async () => {
  const layer = { mediaType: mediaTypes.layerGzip, digest: digestOfText("x"), size: 1 };
  const cases: [what: string, mangle: (manifest: Record<string, unknown>) => void, message: RegExp][] = [
    [
      "a thousand layers",
      (it) => (it["layers"] = Array.from({ length: 1000 }, () => layer)),
      /1000 layers; at most 499/,
    ],
    [
      "an unknown algorithm",
      (it) => (it["layers"] = [{ ...layer, digest: `sha512:${"0".repeat(128)}` }]),
      /is not sha256:/,
    ],
    ["a path", (it) => (it["layers"] = [{ ...layer, digest: "sha256:../../../etc/passwd" }]), /is not sha256:/],
    ["a size below zero", (it) => (it["layers"] = [{ ...layer, size: -1 }]), /size -1 is not a number of bytes/],
    ["a size beyond numbers", (it) => (it["layers"] = [{ ...layer, size: 1e300 }]), /is not a number of bytes/],
    ["fewer layers than diff ids", (it) => (it["layers"] = []), /0 layers, its configuration names 2/],
    [
      "a giant configuration",
      (it) => (it["config"] = { ...layer, mediaType: mediaTypes.config, size: 1e9 }),
      /at most 4194304 are read/,
    ],
    ["no layers at all", (it) => delete it["layers"], /layers is not a list/],
  ];
  for (const [what, mangle, message] of cases) {
    const { fetch: own, store } = await registryInMemory();
    const { layers } = await stocked(store, { mangle });
    const { fetch, seen } = seeing(own);
    const here = await house(fetch);
    await assert.rejects(pull(here), message, what);
    const blobs = layers.map(digestOfBytes);
    assert.ok(!seen.some(({ url }) => blobs.some((digest) => url.endsWith(digest))), `${what}: no layer was asked for`);
    assert.deepEqual(await here.images.list(), []);
  }
});

test("a manifest of more than four mebibytes, or deep as a well, ends in an error", async () => {
  const deep = `{"schemaVersion":2,"x":${"[".repeat(500_000)}${"]".repeat(500_000)}}`;
  for (const [text, message] of [
    [`{"schemaVersion":2,"x":"${"x".repeat(5 * 1024 * 1024)}"}`, /longer than 4194304 bytes/],
    [deep, /manifest/],
  ] as const) {
    const { fetch, store } = await registryInMemory();
    await putManifest(store, text, mediaTypes.manifest, "1");
    await assert.rejects(pull(await house(fetch)), message);
  }
});

test("indexes that hold each other end in an error", async () => {
  const { fetch, store } = await registryInMemory();
  let digest = digestOfText("the innermost");
  let size = 1;
  for (let depth = 0; depth < 6; depth++) {
    const manifests = [{ mediaType: mediaTypes.index, digest, size, platform: { os: "linux", architecture: "amd64" } }];
    const text = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests });
    digest = await putManifest(store, text, mediaTypes.index, "1");
    size = text.length;
  }
  await assert.rejects(pull(await house(fetch)), /indexes are nested too deep/);
});

test("URLs that a manifest names for its layers are never asked", async () => {
  const { fetch: own, store } = await registryInMemory();
  const urls = ["http://169.254.169.254/latest/meta-data", "https://elsewhere.example/layer"];
  const foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
  await stocked(store, {
    layers: 1,
    mangle: (it) => (it["layers"] = [{ mediaType: foreign, digest: digestOfText("far away"), size: 8, urls }]),
  });
  const { fetch, seen } = seeing(own);
  await assert.rejects(pull(await house(fetch)), /blob unknown/);
  assert.ok(seen.every(({ url }) => url.includes("//registry.test/")));
});

test("what is not there, or not for us, is told in Docker's words", async () => {
  const { fetch, store } = await registryInMemory();
  await stocked(store);
  const here = await house(fetch);
  await assert.rejects(pull(here, "registry.test/team/app:no"), {
    code: "not-found",
    message: "manifest for registry.test/team/app:no not found: manifest unknown: manifest unknown",
  });
  const denied: Fetch = async () => ({
    status: 403,
    headers: { "content-type": "application/json" },
    body: one(
      new TextEncoder().encode('{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}'),
    ),
  });
  await assert.rejects(pull(await house(denied)), {
    code: "not-found",
    message:
      "pull access denied for registry.test/team/app, repository does not exist or may require 'docker login': " +
      "denied: requested access to the resource is denied",
  });
});

test("two pulls of one image at once fetch each layer once", async () => {
  const { fetch: own, store } = await registryInMemory();
  const { layers, config } = await stocked(store);
  const { fetch, seen } = seeing(own);
  const here = await house(fetch);
  await Promise.all([pull(here), pull(here)]);
  assert.equal((await here.images.get(name)).id, config);
  for (const layer of layers) assert.equal(seen.filter(({ url }) => url.endsWith(digestOfBytes(layer))).length, 1);
});

test("whoever hangs up ends the pull, and the next one goes on", async () => {
  const { fetch: own, store } = await registryInMemory();
  const { config } = await stocked(store);
  const gone = new AbortController();
  const fetch: Fetch = async (request) => {
    if (request.url.includes("/blobs/")) gone.abort();
    request.signal?.throwIfAborted();
    return own(request);
  };
  const here = await house(fetch);
  const asking = { credentials: anonymous, signal: gone.signal };
  await assert.rejects(lines(here.registry.pull(name, { all: false, platform: null }, asking)), /abort/i);
  const again = await house(own, here.machine.reopen());
  await pull(again);
  assert.equal((await again.images.get(name)).id, config);
});

test("a blob that its mirror loses half-way comes from the registry", async () => {
  const { fetch: own, store } = await registryInMemory();
  const { config, layers } = await stocked(store, { layers: 1 });
  const [layer = new Uint8Array(0)] = layers;
  let cuts = 0;
  const { fetch, seen } = seeing(async (request) => {
    const response = await own(request);
    if (!request.url.startsWith("https://mirror.example") || !request.url.endsWith(digestOfBytes(layer)))
      return response;
    if (cuts++ > 0) throw networkError("refused", "the mirror is gone");
    return { ...response, body: cut(response.body, 10) };
  });
  const here = await house(fetch, undefined, { mirrorsOf: { "registry.test": ["https://mirror.example"] } });
  await pull(here);
  assert.equal((await here.images.get(name)).id, config);
  assert.equal(seen.at(-1)?.headers["range"], "bytes=10-");
  assert.ok(seen.at(-1)?.url.startsWith("https://registry.test/"));
});

test("an image is pushed as it came: same manifest, same digest; layers of a sibling are mounted", async () => {
  const { fetch: own, store } = await registryInMemory();
  const { manifest } = await stocked(store);
  const { fetch, seen } = seeing(own);
  const here = await house(fetch);
  await pull(here);
  await here.images.tag(name, "registry.test/team/copy:2");
  seen.length = 0;
  const told = await push(here, "registry.test/team/copy:2");
  assert.equal(told[0], "The push refers to repository [registry.test/team/copy]");
  assert.match(told.at(-1) ?? "", new RegExp(`^2: digest: ${manifest} size: \\d+$`));
  assert.equal(told.filter((line) => line.endsWith("Mounted from team/app")).length, 2);
  assert.equal(await store.tag("team/copy", "2"), manifest);
  const digests = (await here.images.get(name)).digests;
  assert.deepEqual(digests, [`registry.test/team/app@${manifest}`, `registry.test/team/copy@${manifest}`]);
  assert.equal(
    (await push(here, "registry.test/team/copy:2")).filter((line) => line.endsWith("Layer already exists")).length,
    2,
  );
});

test("nothing is pushed to a mirror, and no login goes there", async () => {
  const { fetch: own, store } = await registryInMemory();
  await stocked(store);
  const { fetch, seen } = seeing(own);
  const here = await house(fetch, undefined, { mirrorsOf: { "registry.test": ["https://mirror.example"] } });
  await pull(here);
  assert.ok(seen.every(({ url }) => url.startsWith("https://mirror.example/")));
  seen.length = 0;
  await here.images.tag(name, "registry.test/team/copy:1");
  await push(here, "registry.test/team/copy:1");
  await here.registry.login("registry.test", asker);
  await here.registry.search("registry.test/app", 5, asker);
  assert.ok(seen.every(({ url }) => url.startsWith("https://registry.test/")));
});

test("plain layers are compressed on their way, to the same bytes each time", async () => {
  const pushed: Digest[] = [];
  for (let time = 0; time < 2; time++) {
    const { fetch, store } = await registryInMemory();
    await stocked(store, { compress: false });
    const here = await house(fetch);
    await pull(here);
    await here.images.tag(name, "registry.test/packed:1");
    await push(here, "registry.test/packed:1");
    const digest = await store.tag("packed", "1");
    assert.ok(digest !== null);
    pushed.push(digest);
    const other = await house(fetch);
    await pull(other, "registry.test/packed:1");
    assert.equal((await other.images.get("registry.test/packed:1")).id, (await here.images.get(name)).id);
    assert.deepEqual(
      [...here.machine.world.files.keys()].filter((path) => path.includes("/tmp/push/")),
      [],
    );
  }
  assert.equal(pushed[0], pushed[1]);
});

test("an image that an archive brought is kept as the registry has it once it was pulled", async () => {
  const { fetch, store } = await registryInMemory();
  await stocked(store, { compress: false });
  const plain = await house(fetch);
  await pull(plain);
  await plain.images.tag(name, "registry.test/team/packed:1");
  await push(plain, "registry.test/team/packed:1");
  const packed = await store.tag("team/packed", "1");
  const saved: Uint8Array[] = [];
  for await (const chunk of await plain.images.save([name])) saved.push(chunk.slice());
  const here = await house(fetch);
  for await (const _ of here.images.load(one(concat(saved))));
  const [loaded] = await here.images.list();
  await pull(here, "registry.test/team/packed:1");
  const stored = await here.images.stored("registry.test/team/packed:1");
  assert.equal(stored.id, loaded?.id);
  assert.equal(stored.manifest.digest, packed);
  const { layers } = JSON.parse(new TextDecoder().decode(await here.images.document(stored.manifest.digest, "m"))) as {
    layers: object[];
  };
  const blobs = [...here.machine.world.files.keys()].filter((path) => path.includes("/blobs/sha256/"));
  assert.equal(blobs.length, layers.length + 2, "what the archive brought it in is gone");
});

test("a push without a tag pushes all tags, and one of nothing says so", async () => {
  const { fetch, store } = await registryInMemory();
  const { manifest } = await stocked(store);
  const here = await house(fetch);
  await pull(here);
  for (const tag of ["a", "b"]) await here.images.tag(name, `registry.test/all:${tag}`);
  await push(here, "registry.test/all");
  assert.deepEqual(await store.tags("all"), ["a", "b"]);
  assert.equal(await store.tag("all", "b"), manifest);
  await assert.rejects(
    push(here, "registry.test/none:1"),
    /An image does not exist locally with the tag: registry\.test\/none/,
  );
});

test("all tags of a repository are pulled when they are asked for", async () => {
  const { fetch, store } = await registryInMemory();
  await stocked(store);
  await stocked(store, { layers: 3, tag: "2" });
  const here = await house(fetch);
  await lines(here.registry.pull("registry.test/team/app", { all: true, platform: null }, asker));
  const names = (await here.images.list()).flatMap((image) => image.names);
  assert.deepEqual(names.toSorted(), [name, "registry.test/team/app:2"]);
});

test("images are removed at a registry that allows it, and one that does not is told with what to do", async () => {
  for (const deletes of [true, false]) {
    const { fetch, store } = await registryInMemory({ deletes });
    const { manifest } = await stocked(store);
    const { remote } = (await house(fetch)).registry;
    assert.deepEqual(await remote.repositories("https://registry.test/", asker), ["team/app"]);
    assert.deepEqual(await remote.tags("registry.test/team/app", asker), ["1"]);
    assert.equal((await remote.manifest(name, asker)).digest, manifest);
    assert.deepEqual(await remote.referrers(name, asker), []);
    if (deletes) assert.equal(await remote.remove(name, asker), manifest);
    else
      await assert.rejects(remote.remove(name, asker), /^TsboxError: registry\.test does not let images be removed: /);
    assert.equal(await store.tag("team/app", "1"), deletes ? null : manifest);
  }
});

test("a machine without a network says so", async () => {
  const machine = new MemoryMachine();
  const { images, clock } = await house(() => Promise.reject(new Error("not asked")), machine);
  const parts = {
    images,
    disk: machine.disk,
    ports: { ...linuxPorts, clock },
    platform: platformOf("amd64", undefined),
    events: new EventLog(clock),
  };
  await assert.rejects(
    lines(registryOf(parts, { fetch: null }).pull(name, { all: false, platform: null }, asker)),
    /this machine has no network/,
  );
});
