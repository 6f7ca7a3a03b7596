import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { scratch } from "../../backends/linux/testing/scratch.ts";
import { openLinuxMachine } from "../../backends/linux/machine.ts";
import { linuxPorts } from "../../backends/linux/ports.ts";
import type { ContainerId } from "../../core/base/brand.ts";
import { decodeBytes } from "../../core/base/bytes.ts";
import type { ImageStore } from "../../core/engine/image-store.ts";
import { openImages } from "../../core/engine/images.ts";
import type { Machine } from "../../core/engine/machine.ts";
import { hexOf } from "../../core/image/digest.ts";
import type { Image } from "../../core/image/image.ts";
import { busyboxLayersTar, busyboxOciTar, busyboxTar, debianTar, imagesMissing, isMade } from "./make.ts";
import { tree } from "./tree.ts";

// Images made by real tools, on this machine's disk: the digests are those skopeo tells, the trees are
// those GNU tar unpacks, and skopeo opens the store where it lies.

const skip = process.getuid?.() === 0 ? (imagesMissing() ?? false) : "unpacks layers with their owners: needs root";

interface Site {
  readonly root: string;
  readonly machine: Machine;
  readonly images: ImageStore;
}

function onDisk(name: string, missing: string | false, work: (site: Site, t: TestContext) => Promise<void>): void {
  test(name, { skip: missing }, async (t) => {
    const root = scratch("images");
    const machine = await openLinuxMachine({ dataRoot: join(root, "data"), runRoot: join(root, "run") });
    try {
      const { disk, layers } = machine;
      await work({ root, machine, images: await openImages({ disk, layers, ports: linuxPorts }) }, t);
    } finally {
      await machine.close();
      rmSync(root, { recursive: true });
    }
  });
}

async function load({ images }: Site, tar: string): Promise<Image> {
  for await (const { image } of images.load(createReadStream(tar))) return image;
  throw new Error(`${tar} holds no image`);
}

function skopeo(...args: readonly string[]): Buffer {
  return execFileSync("skopeo", ["--insecure-policy", ...args], { maxBuffer: 1 << 24 });
}

/** What skopeo says of an image: its id is the digest of its configuration's bytes. */
function truth(source: string): { id: string; layers: string[] } {
  const config = skopeo("inspect", "--config", "--raw", source);
  const { rootfs } = JSON.parse(String(config)) as { rootfs: { diff_ids: string[] } };
  return { id: `sha256:${createHash("sha256").update(config).digest("hex")}`, layers: rootfs.diff_ids };
}

/** The tree GNU tar makes of an image's only layer, from the docker-archive. */
function unpacked(root: string, tar: string, layer: string): string[] {
  const directory = join(root, "truth");
  mkdirSync(directory);
  execFileSync("sh", ["-c", `tar xOf "$1" "$2" | tar x -C "$3" --numeric-owner -p`, "sh", tar, layer, directory]);
  return tree(directory);
}

for (const [kind, transport, make] of [
  ["docker save's format", "docker-archive", busyboxTar],
  ["an OCI layout", "oci-archive", busyboxOciTar],
  ["four layers", "docker-archive", busyboxLayersTar],
] as const)
  onDisk(`an image in ${kind} has the digests skopeo tells`, skip, async (site) => {
    const tar = await make();
    const { id, layers } = await load(site, tar);
    assert.deepEqual({ id, layers }, truth(`${transport}:${tar}`));
  });

onDisk("skopeo opens the store where it lies, and finds the same images", skip, async (site) => {
  for (const tar of [await busyboxTar(), await busyboxLayersTar()]) await load(site, tar);
  const store = join(site.root, "data/image");
  for (const { id, names } of await site.images.list()) {
    const [name = ""] = names;
    const { layers } = await site.images.get(id);
    assert.deepEqual({ id, layers }, truth(`oci:${store}:${name}`));
    // Copying reads and checks every blob.
    const copy = join(site.root, `${id.slice(-12)}.tar`);
    skopeo("copy", "--quiet", `oci:${store}:${name}`, `docker-archive:${copy}:${name}`);
    assert.deepEqual({ id, layers }, truth(`docker-archive:${copy}`));
  }
});

onDisk("a layer is unpacked as GNU tar unpacks it", skip, async (site) => {
  const tar = await busyboxTar();
  const { layers } = await load(site, tar);
  const [layer] = layers;
  assert.ok(layer !== undefined);
  const ours = tree(join(site.root, "data/layers", hexOf(layer), "diff"));
  assert.deepEqual(ours, unpacked(site.root, tar, `${hexOf(layer)}.tar`));
});

onDisk("whiteouts, opaque directories and replaced ones show what the upper layers say", skip, async (site) => {
  const { layers } = await load(site, await busyboxLayersTar());
  const container = "c".repeat(64) as ContainerId;
  await site.machine.layers.prepare(container, layers);
  const paths = ["etc/hidden", "etc/opaque/old", "etc/opaque/new", "etc/replaced", "etc/replaced/inside", "data/kept"];
  const seen = await Promise.all(
    paths.map(async (path) => {
      const bytes = await site.machine.layers.readFile(container, layers, `/${path}`, 100);
      return bytes === null ? null : decodeBytes(bytes);
    }),
  );
  assert.deepEqual(seen, [null, null, "new\n", "a file now\n", null, "data/kept\n"]);
  await site.machine.layers.discard(container);
});

const noDebian = skip || (isMade("debian.tar") ? false : "not made yet: node test/images/make.ts debian (network)");

onDisk("a whole Debian is unpacked as GNU tar unpacks it, in bounded memory", noDebian, async (site, t) => {
  const tar = await debianTar();
  const before = process.memoryUsage.rss();
  const started = performance.now();
  const { id, layers } = await load(site, tar);
  const grown = (process.memoryUsage.rss() - before) / 2 ** 20;
  t.diagnostic(`loaded in ${Math.round(performance.now() - started)} ms, ${Math.round(grown)} MiB more memory`);
  assert.ok(grown < 150, `${grown} MiB for an archive of 170`);
  assert.deepEqual({ id, layers }, truth(`docker-archive:${tar}`));
  const [layer] = layers;
  assert.ok(layer !== undefined);
  const ours = tree(join(site.root, "data/layers", hexOf(layer), "diff"));
  assert.deepEqual(ours, unpacked(site.root, tar, `${hexOf(layer)}.tar`));
});

onDisk("removing an image leaves nothing of it on disk", skip, async (site) => {
  await load(site, await busyboxTar());
  await site.images.remove("busybox", { force: false, prune: true });
  const listing = execFileSync("find", [
    join(site.root, "data/layers"),
    join(site.root, "data/image/blobs"),
    "-mindepth",
    "1",
  ]);
  assert.equal(String(listing).trim(), join(site.root, "data/image/blobs/sha256"));
});
