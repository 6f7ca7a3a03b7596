import assert from "node:assert/strict";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { linuxPorts } from "../../backends/linux/ports.ts";
import type { ContainerId } from "../base/brand.ts";
import { type ByteStream, decodeBytes, readAll, streamOf } from "../base/bytes.ts";
import { Errno } from "../base/errno.ts";
import { messageOf, TsboxError } from "../base/error.ts";
import {
  directory,
  dockerArchive,
  entry,
  type Layer,
  layer,
  layerOf,
  layoutArchive,
  tarOf,
} from "../../test/images/forge.ts";
import type { Image } from "../image/image.ts";
import { platformOf } from "../image/platform.ts";
import type { ImagesDependencies, ImageStore, ImageUser } from "./image-store.ts";
import { openImages } from "./images.ts";
import { MemoryMachine } from "./testing/memory-machine.ts";

// What the engine does with images, on a machine in memory; archives are forged, one for each question.

const user = (image: { id: ImageUser["image"]; layers: ImageUser["layers"] }, running: boolean): ImageUser => ({
  id: "c".repeat(64) as ContainerId,
  image: image.id,
  layers: image.layers,
  running,
});

interface House {
  readonly machine: MemoryMachine;
  readonly images: ImageStore;
  readonly users: ImageUser[];
  readonly events: string[];
  /** Blobs and unpacked layers: what takes room. */
  readonly stuff: () => number;
  readonly reopen: () => Promise<ImageStore>;
}

async function house(more: Partial<ImagesDependencies> = {}, machine = new MemoryMachine()): Promise<House> {
  const users: ImageUser[] = [];
  const events: string[] = [];
  const open = (): Promise<ImageStore> =>
    openImages({
      disk: machine.disk,
      layers: machine.layers,
      ports: linuxPorts,
      users: () => users,
      emit: (action, id, name) => void events.push(`${action} ${name === id ? "" : name}`.trim()),
      ...more,
    });
  const blobs = (): number => [...machine.world.files.keys()].filter((path) => /\/blobs\/sha256\/./.test(path)).length;
  return {
    machine,
    images: await open(),
    users,
    events,
    stuff: () => blobs() + machine.world.layers.size,
    reopen: open,
  };
}

async function load(images: ImageStore, tar: Uint8Array): Promise<string[]> {
  const names: string[] = [];
  for await (const loaded of images.load(streamOf(tar))) names.push(...loaded.names);
  return names;
}

async function details(images: ImageStore): Promise<Image[]> {
  return Promise.all((await images.list()).map(({ id }) => images.get(id)));
}

const base = await layerOf(directory("bin/"), entry("bin/sh", "#!"));
const upper = await layerOf(entry("app", "the app"));
const named = (name: string, ...layers: readonly Layer[]): Promise<Uint8Array> =>
  dockerArchive({ names: [name], layers });
const busybox = await named("busybox:latest", base);
const app = await named("me/app:1", base, upper);
const force = { force: true, prune: true };
const gently = { force: false, prune: true };

const said = async (work: Promise<unknown>): Promise<string> => {
  try {
    return `no error: ${JSON.stringify(await work)}`;
  } catch (thrown) {
    return thrown instanceof TsboxError ? `${thrown.code}: ${thrown.message}` : `not ours: ${messageOf(thrown)}`;
  }
};

test("an image is found by any of its names, by its id and by a beginning of it", async () => {
  const { images } = await house();
  assert.deepEqual(await load(images, busybox), ["busybox:latest"]);
  const [{ id } = { id: "" }] = await images.list();
  const refs = [
    "busybox",
    "busybox:latest",
    "docker.io/library/busybox",
    id,
    id.slice(7),
    id.slice(0, 20),
    id.slice(7, 19),
  ];
  for (const ref of refs) assert.equal((await images.get(ref)).id, id, ref);
});

test("what is not there is told in Docker's words", async () => {
  const { images } = await house();
  await load(images, busybox);
  assert.deepEqual(
    await Promise.all(
      ["nosuch", "me/nosuch:2", `sha256:${"0".repeat(64)}`, "UPPER", "busybox:other"].map((ref) =>
        said(images.get(ref)),
      ),
    ),
    [
      "not-found: No such image: nosuch:latest",
      "not-found: No such image: me/nosuch:2",
      `not-found: No such image: sha256:${"0".repeat(64)}`,
      "invalid: invalid reference format: repository name (library/UPPER) must be lowercase",
      "not-found: No such image: busybox:other",
    ],
  );
});

test("a beginning that fits several ids is refused", async () => {
  const { images } = await house();
  for (let number = 0; number < 17; number++)
    await load(images, await dockerArchive({ names: [], layers: [base], config: { author: `${number}` } }));
  const digits = (await images.list()).map(({ id }) => id.slice(7, 8)).toSorted();
  const twice = digits.find((digit, at) => digits[at + 1] === digit) ?? "";
  assert.equal(await said(images.get(twice)), `invalid: multiple IDs found with provided prefix: ${twice}`);
});

test("loading the same image again changes nothing, also as a layout and compressed", async () => {
  const { images, stuff } = await house();
  await load(images, busybox);
  const before = [await images.list(), stuff()];
  await load(images, busybox);
  await load(images, new Uint8Array(gzipSync(busybox)));
  assert.deepEqual([await images.list(), stuff()], before);
  const gzip = layer(base.bytes, { gzip: true });
  await load(images, await layoutArchive({ names: ["docker.io/library/busybox:gz"], layers: [gzip] }));
  assert.deepEqual(
    (await images.list()).map(({ names }) => names),
    [["busybox:gz", "busybox:latest"]],
  );
  assert.equal(stuff(), before[1]);
});

test("many loads at once share their layers", async () => {
  const { images, stuff } = await house();
  await Promise.all([busybox, app, busybox, app, busybox].map((tar) => load(images, tar)));
  assert.deepEqual((await images.list()).flatMap(({ names }) => names).toSorted(), ["busybox:latest", "me/app:1"]);
  // Two layers, each as a blob and unpacked; two configurations; two manifests.
  assert.equal(stuff(), 8);
});

test("an archive with several images yields each", async () => {
  const { images } = await house();
  const tar = await tarOf(
    entry("0.tar", base.bytes),
    entry(
      "a.json",
      JSON.stringify({ os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [base.diffId] } }),
    ),
    entry(
      "b.json",
      JSON.stringify({
        os: "linux",
        architecture: "amd64",
        author: "b",
        rootfs: { type: "layers", diff_ids: [base.diffId] },
      }),
    ),
    entry(
      "manifest.json",
      JSON.stringify([
        { Config: "a.json", RepoTags: ["a:1", "a:2"], Layers: ["0.tar"] },
        { Config: "b.json", RepoTags: null, Layers: ["0.tar"] },
      ]),
    ),
  );
  assert.deepEqual(await load(images, tar), ["a:1", "a:2"]);
  assert.deepEqual(
    (await details(images)).map(({ names, author }) => [names, author]),
    [
      [["a:1", "a:2"], ""],
      [[], "b"],
    ],
  );
});

test("a name goes from the image that had it; that one stays without", async () => {
  const { images } = await house();
  await load(images, busybox);
  await load(images, await named("busybox", base, upper));
  assert.deepEqual(
    (await details(images)).map(({ names, layers }) => [names, layers.length]),
    [
      [[], 1],
      [["busybox:latest"], 2],
    ],
  );
});

test("tagging gives another name, and refuses what cannot be one", async () => {
  const { images, events } = await house();
  await load(images, busybox);
  await images.tag("busybox", "me/box");
  assert.deepEqual((await images.get("me/box:latest")).names, ["busybox:latest", "me/box:latest"]);
  assert.deepEqual(
    await Promise.all([
      said(images.tag("busybox", `x@sha256:${"0".repeat(64)}`)),
      said(images.tag("busybox", "sha256:tag")),
      said(images.tag("busybox", "UPPER")),
      said(images.tag("nosuch", "x")),
    ]),
    [
      "invalid: refusing to create a tag with a digest reference",
      "invalid: refusing to create an ambiguous tag using digest algorithm as name",
      "invalid: invalid reference format: repository name (library/UPPER) must be lowercase",
      "not-found: No such image: nosuch:latest",
    ],
  );
  assert.deepEqual(events, ["load", "tag me/box:latest"]);
});

test("removing one of two names leaves the image, removing the last takes all of it", async () => {
  const { images, events, stuff } = await house();
  await load(images, busybox);
  await images.tag("busybox", "other");
  assert.deepEqual(await images.remove("busybox", gently), [{ untagged: "busybox:latest" }]);
  const { id, layers } = await images.get("other");
  assert.deepEqual(await images.remove("other", gently), [
    { untagged: "other:latest" },
    { deleted: id },
    { deleted: layers[0] },
  ]);
  assert.equal(stuff(), 0);
  assert.deepEqual(events.slice(2), ["untag", "untag", "delete"]);
});

test("layers and blobs that another image has stay", async () => {
  const { images, machine } = await house();
  await load(images, busybox);
  await load(images, app);
  const removed = await images.remove("me/app:1", gently);
  assert.equal(removed.length, 3);
  assert.deepEqual([...machine.world.layers.keys()], [base.diffId]);
  assert.deepEqual((await images.get("busybox")).layers, [base.diffId]);
});

test("an image in use is not removed without force, and a running one not at all by id", async () => {
  const { images, users } = await house();
  await load(images, busybox);
  const image = await images.get("busybox");
  const short = image.id.slice(7, 19);
  users.push(user(image, false));
  const stopped = [await said(images.remove("busybox", gently)), await said(images.remove(image.id, gently))];
  users[0] = user(image, true);
  const running = [await said(images.remove(short, force))];
  await images.tag("busybox", "me/other");
  users.length = 0;
  const several = [await said(images.remove(short, gently))];
  assert.deepEqual(
    [...stopped, ...running, ...several],
    [
      `conflict: conflict: unable to remove repository reference "busybox" (must force) - container cccccccccccc is using its referenced image ${short}`,
      `conflict: conflict: unable to delete ${short} (must be forced) - image is being used by stopped container cccccccccccc`,
      `conflict: conflict: unable to delete ${short} (cannot be forced) - image is being used by running container cccccccccccc`,
      `conflict: conflict: unable to delete ${short} (must be forced) - image is referenced in multiple repositories`,
    ],
  );
});

test("a container keeps the layers of an image that was removed by force, until it goes itself", async () => {
  const { images, users, machine, reopen } = await house();
  await load(images, busybox);
  const image = await images.get("busybox");
  users.push(user(image, false));
  assert.deepEqual(await images.remove("busybox", force), [{ untagged: "busybox:latest" }, { deleted: image.id }]);
  assert.equal(machine.world.layers.size, 1);
  const later = await reopen();
  await later.collect();
  assert.equal(machine.world.layers.size, 1);
  users.length = 0;
  await later.collect();
  assert.equal(machine.world.layers.size, 0);
});

test("removing the name of a running container's image by force leaves the image without a name", async () => {
  const { images, users } = await house();
  await load(images, busybox);
  users.push(user(await images.get("busybox"), true));
  assert.deepEqual(await images.remove("busybox", force), [{ untagged: "busybox:latest" }]);
  assert.deepEqual(
    (await images.list()).map(({ names }) => names),
    [[]],
  );
});

test("the next engine finds the images as they were", async () => {
  const { images, reopen } = await house();
  await load(images, busybox);
  await load(images, app);
  await images.tag("me/app:1", "me/app:2");
  assert.deepEqual(await (await reopen()).list(), await images.list());
});

test("an engine that ends at any moment of a load leaves all of the image or nothing", async () => {
  const counting = await house();
  await load(counting.images, app);
  const outcomes = new Set<string>();
  for (let changes = 0; changes <= counting.machine.changes; changes++) {
    const { machine, images } = await house();
    machine.cutAfter(changes);
    await Promise.race([load(images, app), machine.cut]);
    const next = machine.reopen();
    const after = await house({}, next);
    const names = (await after.images.list()).flatMap((image) => image.names);
    // Whatever was left half done goes with the next change.
    await load(after.images, busybox);
    await after.images.remove("busybox", gently);
    assert.equal(after.stuff(), names.length === 0 ? 0 : 6, `cut after ${changes} changes`);
    outcomes.add(names.join());
  }
  assert.deepEqual([...outcomes], ["", "me/app:1"]);
});

test("an image that comes with tsbox is loaded when it is first asked for", async () => {
  const asked: string[] = [];
  const hello = await named("hello", base);
  const embedded = (name: string): ByteStream | null => {
    asked.push(name);
    return name === "hello" ? streamOf(hello) : null;
  };
  const { images } = await house({ embedded });
  assert.equal(await said(images.get("hello")), "not-found: No such image: hello:latest");
  assert.deepEqual((await images.resolve("hello")).names, ["hello:latest"]);
  await images.resolve("hello:latest");
  assert.equal(await said(images.resolve("nosuch")), "not-found: No such image: nosuch:latest");
  assert.equal(await said(images.resolve("hello:other")), "not-found: No such image: hello:other");
  assert.deepEqual(asked, ["hello", "nosuch"]);
});

test("an index for several platforms gives the image for ours", async () => {
  const forPlatforms = await layoutArchive({
    layers: [base],
    top: ({ annotations, ...manifest }, put) => {
      const other = {
        ...manifest,
        digest: `sha256:${"0".repeat(64)}`,
        platform: { os: "linux", architecture: "arm64" },
      };
      const ours = { ...manifest, platform: { os: "linux", architecture: "amd64" } };
      const index = JSON.stringify({ schemaVersion: 2, manifests: [other, ours] });
      return { ...put("application/vnd.oci.image.index.v1+json", new TextEncoder().encode(index)), annotations };
    },
  });
  const { images } = await house();
  assert.deepEqual(await load(images, forPlatforms), ["forged:latest"]);
  const arm = await house({ platform: platformOf("arm64", undefined) });
  assert.match(await said(load(arm.images, forPlatforms)), /^corrupt: manifest sha256:0+ is not in the archive/);
});

test("a full disk is one clear error, and leaves nothing", async () => {
  const { machine, images, stuff } = await house();
  const { disk } = machine;
  const append = disk.append.bind(disk);
  disk.append = async function* (path, bytes) {
    yield* append(path, bytes);
    throw new Errno("ENOSPC", path);
  };
  const big = await named("big", await layerOf(entry("big", "x".repeat(100_000))));
  assert.match(await said(load(images, big)), /^failed: cannot store the image: .*no space left on device$/);
  assert.deepEqual([stuff(), await disk.list(`${disk.dataRoot}/image/ingest` as typeof disk.dataRoot)], [0, []]);
});

test("whenever the index is written, each image in it has the records of its layers", async () => {
  const { machine, images } = await house();
  const { disk } = machine;
  const write = disk.writeStream.bind(disk);
  const seen: [images: number, records: number][] = [];
  disk.writeStream = async (path, bytes) => {
    const content = await readAll(bytes, 1 << 20);
    await write(path, streamOf(content));
    if (!path.endsWith("/index.json")) return;
    const { manifests } = JSON.parse(decodeBytes(content)) as { manifests: unknown[] };
    const records = await disk.list(`${disk.dataRoot}/image/layerdb/sha256` as typeof disk.dataRoot);
    seen.push([manifests.length, records.length]);
  };
  await load(images, busybox);
  await images.remove("busybox", { force: false, prune: true });
  assert.deepEqual(seen, [
    [1, 1],
    [0, 1],
  ]);
  const stray = `${disk.dataRoot}/image/layerdb/sha256/${"0".repeat(64)}.json` as typeof disk.dataRoot;
  await write(stray, streamOf(new Uint8Array(1)));
  await images.prune({ dangling: true, accepts: () => true });
  assert.equal(await disk.stat(stray), null);
});

test("whoever stops listening leaves no spool behind", async () => {
  const { machine, images } = await house();
  for await (const _ of images.load(streamOf(busybox))) break;
  assert.deepEqual(
    await machine.disk.list(`${machine.disk.dataRoot}/image/ingest` as typeof machine.disk.dataRoot),
    [],
  );
});

test("the index says what images there are, to anybody", async () => {
  const { machine, images } = await house();
  await load(images, busybox);
  const index = decodeBytes(machine.world.files.get("/var/lib/tsbox/image/index.json")?.bytes ?? new Uint8Array());
  const { manifests } = JSON.parse(index) as { manifests: { annotations: Record<string, string> }[] };
  assert.deepEqual(
    manifests.map(({ annotations }) => annotations),
    [
      {
        "io.containerd.image.name": "docker.io/library/busybox:latest",
        "org.opencontainers.image.ref.name": "busybox:latest",
      },
    ],
  );
});
