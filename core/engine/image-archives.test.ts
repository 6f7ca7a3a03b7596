import assert from "node:assert/strict";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { linuxPorts } from "../../backends/linux/ports.ts";
import { concat, decodeBytes, encodeText, readAll, streamOf } from "../base/bytes.ts";
import { messageOf, TsboxError } from "../base/error.ts";
import { mediaTypes } from "../image/descriptor.ts";
import { type DiffId, hexOf } from "../image/digest.ts";
import {
  directory,
  dockerArchive,
  entry,
  layer,
  layerOf,
  layoutArchive,
  sha256,
  tarOf,
} from "../../test/images/forge.ts";
import type { ImageStore, ImageUser } from "./image-store.ts";
import { openImages } from "./images.ts";
import { MemoryMachine } from "./testing/memory-machine.ts";

// Images in and out, looked at and cleaned up, on a machine in memory.

interface House {
  readonly machine: MemoryMachine;
  readonly images: ImageStore;
  readonly users: ImageUser[];
}

async function house(machine = new MemoryMachine(), warn: (message: string) => void = () => {}): Promise<House> {
  const users: ImageUser[] = [];
  const { disk, layers } = machine;
  const images = await openImages({ disk, layers, ports: linuxPorts, users: () => users, warn });
  return { machine, images, users };
}

async function load(images: ImageStore, tar: Uint8Array): Promise<void> {
  for await (const _ of images.load(streamOf(tar)));
}

async function saved(images: ImageStore, ...refs: string[]): Promise<Uint8Array<ArrayBuffer>> {
  return readAll(await images.save(refs), 2 ** 24);
}

const said = async (work: Promise<unknown>): Promise<string> => {
  try {
    return `no error: ${JSON.stringify(await work)}`;
  } catch (thrown) {
    return thrown instanceof TsboxError ? `${thrown.code}: ${thrown.message}` : `not ours: ${messageOf(thrown)}`;
  }
};

const base = await layerOf(directory("bin/"), entry("bin/sh", "#!"));
const upper = await layerOf(entry("app", "the app"));
const large = await layerOf(entry("large", "x".repeat(200_000)));
const packed = layer(large.bytes, { gzip: true });
const busybox = await dockerArchive({ names: ["busybox:latest"], layers: [base] });
const app = await layoutArchive({ names: ["docker.io/me/app:1"], layers: [base, packed] });

function file(machine: MemoryMachine, path: string): Uint8Array {
  const found = machine.world.files.get(`/var/lib/tsbox/image/${path}`);
  assert.ok(found !== undefined, path);
  return found.bytes;
}

test("what is saved is loaded as the same images, and saved again as the same bytes", async () => {
  const one = await house();
  await load(one.images, busybox);
  await load(one.images, app);
  const archive = await saved(one.images, "me/app:1", "busybox");
  const other = await house();
  await load(other.images, archive);
  const byId = async ({ images }: House) => (await images.list()).toSorted((a, b) => (a.id < b.id ? -1 : 1));
  assert.deepEqual(await byId(other), await byId(one));
  assert.deepEqual(await saved(other.images, "busybox", "me/app:1"), archive);
});

test("of a repository all tags are saved, of a tag only itself, of an id none", async () => {
  const { images } = await house();
  await load(images, busybox);
  await images.tag("busybox", "busybox:old");
  const { id } = await images.get("busybox");
  const namesIn = async (ref: string): Promise<string[]> => {
    const other = await house();
    await load(other.images, await saved(images, ref));
    return (await other.images.list()).flatMap(({ names }) => names);
  };
  assert.deepEqual(
    [await namesIn("busybox"), await namesIn("busybox:old"), await namesIn(id), await said(images.save(["nosuch"]))],
    [["busybox:latest", "busybox:old"], ["busybox:old"], [], "not-found: No such image: nosuch"],
  );
});

test("an import is an image of one plain layer, whatever the tar came in, with the changes asked for", async () => {
  const { images } = await house();
  const request = {
    name: "me/root",
    message: "by hand",
    changes: ['CMD ["sh"]', 'ENV A=1 B="two words"', "EXPOSE 80"],
  };
  const plain = await images.import(streamOf(base.bytes), { ...request, platform: null });
  const gzip = await images.import(streamOf(new Uint8Array(gzipSync(base.bytes))), { ...request, platform: null });
  assert.deepEqual(plain.layers, [base.diffId]);
  assert.deepEqual(gzip.layers, plain.layers);
  assert.deepEqual(gzip.names, ["me/root:latest"]);
  const { cmd, env, exposedPorts } = plain.defaults;
  assert.deepEqual([cmd, env, exposedPorts, plain.comment], [["sh"], ["A=1", "B=two words"], ["80/tcp"], "by hand"]);
  assert.match(await said(images.import(streamOf(encodeText("no tar")), { ...request, platform: null })), /^corrupt: /);
});

test("a change that is none is refused before anything is stored", async () => {
  const { images, machine } = await house();
  const refused = (change: string): Promise<string> =>
    said(images.import(streamOf(base.bytes), { name: null, message: "", changes: [change], platform: null }));
  assert.match(await refused("RUN ls"), /^invalid: RUN is not a valid change command/);
  assert.match(await refused("ENV"), /^invalid: ENV requires at least one argument/);
  assert.match(await refused("EXPOSE lots"), /^invalid: invalid containerPort: lots/);
  assert.equal([...machine.world.files.keys()].filter((path) => path.includes("blobs/sha256/")).length, 0);
});

test("pruning takes images without a name, or all that no container uses, and says what became free", async () => {
  const { images, users } = await house();
  await load(images, busybox);
  await load(images, app);
  await load(images, await dockerArchive({ names: ["busybox:latest"], layers: [base, upper] }));
  const everything = { dangling: false, accepts: () => true };
  const first = await images.prune({ dangling: true, accepts: () => true });
  assert.equal(first.removed.length, 1);
  assert.equal(first.reclaimedBytes, 0);
  const { id, layers } = await images.get("busybox");
  users.push({ id: "c".repeat(64) as ImageUser["id"], image: id, layers, running: false });
  const second = await images.prune(everything);
  assert.deepEqual(second.removed[0], { untagged: "me/app:1" });
  assert.equal(second.reclaimedBytes, 200_000);
  assert.deepEqual(
    (await images.list()).flatMap(({ names }) => names),
    ["busybox:latest"],
  );
});

test("shared layers are counted once", async () => {
  const { images } = await house();
  await load(images, busybox);
  await load(images, app);
  const { layersSize, images: each } = await images.usage();
  assert.equal(layersSize, 2 + 200_000);
  assert.deepEqual(
    each.map(({ size, shared }) => [size, shared]),
    [
      [2, 2],
      [200_002, 2],
    ],
  );
});

test("the ladder of digests holds: each is the SHA-256 of what it is said to be of", async () => {
  const { images } = await house();
  await load(images, app);
  const { name, documents, layers, configId, manifestId } = await images.explain("me/app:1");
  assert.equal(name, "docker.io/me/app:1");
  for (const { digest, size, text } of documents)
    assert.deepEqual([sha256(encodeText(text)), encodeText(text).length], [digest, size]);
  assert.deepEqual([documents.at(-1)?.digest, documents[0]?.digest], [configId, manifestId]);
  const [bottom, top] = layers;
  assert.ok(bottom !== undefined && top !== undefined);
  assert.deepEqual([bottom.chainId, top.digest, top.diffId], [bottom.diffId, sha256(packed.bytes), large.diffId]);
  assert.equal(top.chainId, sha256(encodeText(`${bottom.chainId} ${top.diffId}`)));
});

test("layer records say what the seed names, one for each stack", async () => {
  const { images, machine } = await house();
  await load(images, app);
  const [bottom, top] = (await images.explain("me/app:1")).layers;
  assert.ok(bottom !== undefined && top !== undefined);
  assert.deepEqual(JSON.parse(decodeBytes(file(machine, `layerdb/sha256/${hexOf(top.chainId)}.json`))), {
    diff_id: top.diffId,
    chain_id: top.chainId,
    parent: bottom.chainId,
    size: 200_000,
    cache_id: hexOf(top.diffId),
  });
  await images.remove("me/app:1", { force: false, prune: true });
  assert.deepEqual(await machine.disk.list("/var/lib/tsbox/image/layerdb/sha256" as typeof machine.disk.dataRoot), []);
});

test("the summaries are made again when they are lost or damaged, and tell the same", async () => {
  const { images, machine } = await house();
  await load(images, app);
  const before = await images.list();
  const damages: ((bytes: Uint8Array) => Uint8Array | null)[] = [
    () => null,
    () => encodeText("{"),
    (bytes) => bytes.subarray(0, -10),
    (bytes) => bytes.map((byte, at) => (at === bytes.length - 10 ? byte ^ 1 : byte)),
  ];
  for (const damage of damages) {
    const path = "/var/lib/tsbox/image/summaries.tsv";
    const known = machine.world.files.get(path);
    assert.ok(known !== undefined);
    const damaged = damage(known.bytes);
    if (damaged === null) machine.world.files.delete(path);
    else known.bytes = damaged;
    assert.deepEqual(await (await house(machine.reopen())).images.list(), before);
  }
  for (const path of machine.world.files.keys())
    if (path.includes("layerdb/sha256/") || path.endsWith("summaries.tsv")) machine.world.files.delete(path);
  assert.deepEqual(await (await house(machine.reopen())).images.list(), before);
});

test("an index that is damaged or missing is made again of the blobs, without names, and the damaged one is kept", async () => {
  const { images, machine } = await house();
  await load(images, app);
  const before = (await images.list()).map((image) => ({ ...image, names: [], digests: [] }));
  const path = "/var/lib/tsbox/image/index.json";
  for (const damage of [encodeText('{"schemaVersion":2,"manifests":[{'), null]) {
    const known = machine.world.files.get(path);
    assert.ok(known !== undefined);
    if (damage === null) machine.world.files.delete(path);
    else known.bytes = damage;
    const said: string[] = [];
    const again = await house(machine.reopen(), (message) => void said.push(message));
    assert.deepEqual(await again.images.list(), before);
    assert.match(
      said.join(),
      /index\.json is (damaged and kept as .*|missing).*; 1 image was found again, without names/,
    );
  }
  assert.equal(decodeBytes(file(machine, "index.json.damaged")), '{"schemaVersion":2,"manifests":[{');
});

test("the check names each damaged, missing and superfluous thing, and nothing else", async () => {
  const { images, machine } = await house();
  await load(images, busybox);
  await load(images, app);
  const findings = async (): Promise<string[]> => {
    const found: string[] = [];
    for await (const { thing, problem } of images.check()) found.push(`${thing} ${problem}`);
    return found;
  };
  assert.deepEqual(await findings(), []);
  const blob = (digest: string): string => `/var/lib/tsbox/image/blobs/sha256/${digest.slice(7)}`;
  const layerBlob = machine.world.files.get(blob(sha256(packed.bytes)));
  assert.ok(layerBlob !== undefined);
  layerBlob.bytes = layerBlob.bytes.with(100, (layerBlob.bytes[100] ?? 0) ^ 1);
  machine.world.layers.delete(base.diffId as DiffId);
  const stray = encodeText("stray");
  machine.world.files.set(blob(sha256(stray)), { kind: "file", mode: 0o600, bytes: stray });
  machine.world.files.delete(blob((await images.get("busybox")).id));
  const damaged = sha256(layerBlob.bytes);
  assert.deepEqual(await findings(), [
    `blob ${(await images.stored("busybox")).id} is missing`,
    `layer ${base.diffId} its unpacked tree is missing`,
    `blob ${sha256(packed.bytes)} is damaged: its content has the digest ${damaged}`,
    `blob ${sha256(stray)} belongs to no image and no container`,
  ]);
});

test("what a layout holds besides images is kept as it is, and goes on being there", async () => {
  const chart = encodeText("a chart");
  const config = encodeText("{}");
  const descriptor = (mediaType: string, bytes: Uint8Array) => ({
    mediaType,
    digest: sha256(bytes),
    size: bytes.length,
  });
  const manifest = encodeText(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: descriptor("application/vnd.cncf.helm.config.v1+json", config),
      layers: [descriptor("application/vnd.cncf.helm.chart.content.v1.tar+gzip", chart)],
    }),
  );
  const artifact = { ...descriptor(mediaTypes.manifest, manifest), artifactType: "a/chart", "x-unknown": [1] };
  const image = await layoutArchive({ names: ["docker.io/me/app:1"], layers: [base] });
  const inner = await house();
  await load(inner.images, image);
  const index = JSON.parse(decodeBytes(file(inner.machine, "index.json"))) as { manifests: object[] };
  const blobs = [chart, config, manifest].map((bytes) => entry(`blobs/sha256/${hexOf(sha256(bytes))}`, bytes));
  const whole = concat([
    (
      await tarOf(
        entry("index.json", JSON.stringify({ schemaVersion: 2, manifests: [...index.manifests, artifact] })),
        ...blobs,
      )
    ).slice(0, -1024),
    image,
  ]);
  const { images, machine } = await house();
  // Of two entries of one name the later stays: the index comes last.
  const archive = concat([image.slice(0, -1024), whole.slice(0, whole.length - image.length), new Uint8Array(1024)]);
  await load(images, archive);
  await load(images, busybox);
  await images.remove("busybox", { force: false, prune: true });
  const kept = JSON.parse(decodeBytes(file(machine, "index.json"))) as { manifests: object[] };
  assert.deepEqual(kept.manifests.at(-1), artifact);
  assert.deepEqual(file(machine, `blobs/sha256/${hexOf(sha256(chart))}`), chart);
  assert.equal((await images.list()).length, 1);
  const next = await house(machine.reopen());
  assert.deepEqual((await next.images.list()).length, 1);
});
