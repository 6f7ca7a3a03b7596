import assert from "node:assert/strict";
import test from "node:test";
import { linuxPorts } from "../../backends/linux/ports.ts";
import { type ByteStream, decodeBytes, encodeText, streamOf } from "../base/bytes.ts";
import { messageOf, TsboxError } from "../base/error.ts";
import { mediaTypes } from "../image/descriptor.ts";
import type { DiffId, Digest } from "../image/digest.ts";
import { formatManifest } from "../image/manifest.ts";
import { entry, layer, layerOf, sha256 } from "../../test/images/forge.ts";
import type { ImageStore } from "./image-store.ts";
import { openImages } from "./images.ts";
import { MemoryMachine } from "./testing/memory-machine.ts";

// The way in that a pull takes: layers that break off and come again, that lie, that two fetch at once.

const plain = await layerOf(entry("file", "x".repeat(100_000)));
const gzip = layer(plain.bytes, { gzip: true });
const blob = { mediaType: mediaTypes.layerGzip, digest: sha256(gzip.bytes), size: gzip.bytes.length };
const diffId = plain.diffId as DiffId;
const day = { keepSeconds: 86_400 };

async function open(machine = new MemoryMachine()): Promise<{ machine: MemoryMachine; images: ImageStore }> {
  const { disk, layers } = machine;
  return { machine, images: await openImages({ disk, layers, ports: linuxPorts }) };
}

/** The bytes in small chunks; after `count` of them the connection is cut. */
async function* cut(bytes: Uint8Array, count: number): ByteStream & AsyncGenerator<Uint8Array> {
  for (let at = 0; at < count; at += 7) yield bytes.slice(at, Math.min(at + 7, count));
  if (count < bytes.length) throw new TsboxError("unavailable", "the connection was cut");
}

const said = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
    return "fine";
  } catch (thrown) {
    return messageOf(thrown);
  }
};

function things(machine: MemoryMachine): string[] {
  const files = [...machine.world.files.keys()].filter((path) => /\/(?:sha256|ingest)\/./.test(path));
  return [...files.map((path) => path.slice("/var/lib/tsbox/image/".length)), ...machine.world.layers.keys()];
}

test("a layer that broke off goes on where it stopped, also after a crash", async () => {
  const { machine, images } = await open();
  const first = images.intake(day);
  assert.equal(await said(first.layer(blob, diffId, cut(gzip.bytes, 70))), "the connection was cut");
  assert.equal(await first.partial(blob.digest), 70);
  await first.close();
  const second = (await open(machine.reopen())).images.intake(day);
  assert.equal(await second.partial(blob.digest), 70);
  await second.layer(blob, diffId, streamOf(gzip.bytes.slice(70)));
  assert.deepEqual([await second.has(blob.digest), [...machine.world.layers.keys()]], [true, [diffId]]);
});

test("without a second try in view nothing of it stays", async () => {
  const { machine, images } = await open();
  const intake = images.intake();
  await said(intake.layer(blob, diffId, cut(gzip.bytes, 70)));
  await intake.close();
  assert.deepEqual(things(machine), []);
});

test("wrong bytes, too many and too few of them are told apart, and wrong ones do not stay", async () => {
  const { machine, images } = await open();
  const damaged = new Uint8Array(gzip.bytes);
  damaged[40] = (damaged[40] ?? 0) ^ 1;
  const outcomes: string[] = [];
  for (const bytes of [damaged, new Uint8Array([...gzip.bytes, 0]), gzip.bytes.slice(0, -1)]) {
    const intake = images.intake();
    outcomes.push(await said(intake.layer(blob, diffId, streamOf(bytes))));
    await intake.close();
  }
  assert.deepEqual(outcomes, [
    `blob ${blob.digest}: its content has the digest ${sha256(damaged)}`,
    `blob ${blob.digest}: more bytes came than the ${blob.size} that were to come`,
    `blob ${blob.digest}: ${blob.size - 1} of ${blob.size} bytes came`,
  ]);
  assert.deepEqual(things(machine), []);
});

test("a layer that is another one than the configuration says is refused", async () => {
  const { machine, images } = await open();
  const intake = images.intake();
  const other = `sha256:${"1".repeat(64)}` as DiffId;
  assert.equal(
    await said(intake.layer(blob, other, streamOf(gzip.bytes))),
    `layer ${other}: its uncompressed content has the digest ${diffId}`,
  );
  await intake.close();
  assert.deepEqual(things(machine), []);
});

test("two who fetch the same layer at once both have it", async () => {
  const { machine, images } = await open();
  const intakes = [images.intake(day), images.intake(day)];
  await Promise.all(intakes.map((intake) => intake.layer(blob, diffId, cut(gzip.bytes, gzip.bytes.length))));
  assert.deepEqual(await Promise.all(intakes.map((intake) => intake.has(blob.digest))), [true, true]);
  assert.deepEqual([...machine.world.layers.keys()], [diffId]);
});

test("what one intake holds, the end of another does not take away", async () => {
  const { images } = await open();
  const [one, other] = [images.intake(), images.intake()];
  await one.layer(blob, diffId, streamOf(gzip.bytes));
  assert.equal(await other.has(blob.digest), true);
  await one.close();
  assert.equal(await images.hasBlob(blob.digest), true);
  await other.close();
  assert.equal(await images.hasBlob(blob.digest), false);
});

test("an image is made of what came in, with its digest at the registry, or not at all", async () => {
  const { machine, images } = await open();
  const intake = images.intake();
  const config = encodeText(JSON.stringify({ os: "linux", rootfs: { type: "layers", diff_ids: [diffId] } }));
  const configBlob = { mediaType: mediaTypes.config, digest: sha256(config), size: config.length };
  const bytes = formatManifest({ config: configBlob, layers: [blob] });
  const manifest = { mediaType: mediaTypes.manifest, digest: sha256(bytes), size: bytes.length };
  const name = "example.org/me/app:1";
  const digest = `example.org/me/app@${manifest.digest}`;
  const commit = (): Promise<unknown> => intake.commit({ manifest, names: [name], digests: [digest] });
  await intake.put(manifest.digest, bytes);
  assert.match(await said(commit()), /^configuration sha256:.* is not in the store/);
  await intake.put(configBlob.digest, config);
  assert.match(await said(commit()), /^layer sha256:.* is not here/);
  assert.match(await said(intake.put(`sha256:${"0".repeat(64)}` as Digest, bytes)), /^blob sha256:0+: its content has/);
  await intake.layer(blob, diffId, streamOf(gzip.bytes));
  await commit();
  await intake.close();
  assert.deepEqual((await images.get(digest)).digests, [digest]);
  assert.deepEqual(
    await images.remove(name, { force: false, prune: true }).then(([first, second]) => [first, second]),
    [{ untagged: name }, { untagged: digest }],
  );
  assert.deepEqual(things(machine), []);
  assert.equal(
    decodeBytes(machine.world.files.get("/var/lib/tsbox/image/unowned.json")?.bytes ?? new Uint8Array()),
    "{}",
  );
});

test("a thousand layers are refused before the first is unpacked, with the number that can be stacked", async () => {
  const { machine, images } = await open();
  const intake = images.intake();
  const many = Array.from({ length: 1000 }, () => blob);
  const diffIds = many.map(() => diffId);
  const config = encodeText(JSON.stringify({ os: "linux", rootfs: { type: "layers", diff_ids: diffIds } }));
  const configBlob = { mediaType: mediaTypes.config, digest: sha256(config), size: config.length };
  const bytes = formatManifest({ config: configBlob, layers: many });
  const manifest = { mediaType: mediaTypes.manifest, digest: sha256(bytes), size: bytes.length };
  await intake.put(configBlob.digest, config);
  await intake.put(manifest.digest, bytes);
  assert.match(
    await said(intake.commit({ manifest, names: [] })),
    /has 1000 layers; at most 499 can be stacked: build it with fewer steps, or squash it$/,
  );
  await intake.close();
  assert.deepEqual(things(machine), []);
});
