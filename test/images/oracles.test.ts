import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import test from "node:test";
import { gunzipSync } from "node:zlib";
import { scratch } from "../../backends/linux/testing/scratch.ts";
import { openLinuxMachine } from "../../backends/linux/machine.ts";
import { linuxPorts } from "../../backends/linux/ports.ts";
import { type ByteStream, readAll, streamOf } from "../../core/base/bytes.ts";
import type { ImageStore } from "../../core/engine/image-store.ts";
import { openImages } from "../../core/engine/images.ts";
import { chainIds } from "../../core/image/digest.ts";
import type { Image } from "../../core/image/image.ts";
import { layerBlobAt } from "../../core/image/summary.ts";
import { dockerdMissing, startDockerd } from "../docker-cli/dockerd.ts";
import { containerdMissing, startContainerd } from "./containerd.ts";
import { directory, dockerArchive, entry, layer, layerOf } from "./forge.ts";
import { busyboxOciTar, imagesMissing } from "./make.ts";

// The other tools read what we wrote and we read what they wrote: ids and layers are the same everywhere.

const skip = process.getuid?.() === 0 ? (imagesMissing() ?? false) : "unpacks layers with their owners: needs root";
const noPodman = skip || (spawnSync("podman", ["--version"]).status === 0 ? false : "podman is not installed");

interface Site {
  readonly root: string;
  readonly images: ImageStore;
  /** What we saved: plain layers, and one of gzip. */
  readonly archive: string;
  readonly own: readonly Image[];
}

/** podman makes it wherever its storage is, and leaves it. */
const podmanLock = "/dev/shm/libpod_lock";
const names = ["layered:latest", "busybox:latest"] as const;

async function inSite(work: (site: Site) => Promise<void>): Promise<void> {
  const root = scratch("oracles");
  const machine = await openLinuxMachine({ dataRoot: join(root, "data"), runRoot: join(root, "run") });
  try {
    const images = await openImages({ disk: machine.disk, layers: machine.layers, ports: linuxPorts });
    await load(images, createReadStream(await busyboxOciTar()));
    await load(images, streamOf(await layered(images)));
    const archive = join(root, "ours.tar");
    await pipeline(await images.save([...names]), createWriteStream(archive));
    await work({ root, images, archive, own: await Promise.all(names.map((name) => images.get(name))) });
  } finally {
    await machine.close();
    rmSync(root, { recursive: true });
  }
}

async function load(images: ImageStore, tar: ByteStream): Promise<void> {
  for await (const _ of images.load(tar));
}

/** busybox with two plain layers on top: the upper one hides a file and a directory's content of the lower. */
async function layered(images: ImageStore): Promise<Uint8Array> {
  const { summary } = await images.stored("busybox");
  const bytes = gunzipSync(await readAll(images.blob(layerBlobAt(summary, 0)), 2 ** 24));
  const lower = await layerOf(entry("etc/hidden", "x"), directory("etc/opaque/"), entry("etc/opaque/old", "x"));
  const upper = await layerOf(
    entry("etc/.wh.hidden"),
    directory("etc/opaque/"),
    entry("etc/opaque/.wh..wh..opq"),
    entry("etc/opaque/new", "new\n"),
  );
  const config = { config: { Cmd: ["sh"], Env: ["PATH=/bin"] } };
  return dockerArchive({ names: [names[0]], layers: [layer(bytes), lower, upper], config });
}

/** Loads what another tool wrote into a store of its own. */
async function loadedElsewhere(root: string, tar: string): Promise<Image[]> {
  const machine = await openLinuxMachine({ dataRoot: join(root, "other"), runRoot: join(root, "other-run") });
  try {
    const images = await openImages({ disk: machine.disk, layers: machine.layers, ports: linuxPorts });
    await load(images, createReadStream(tar));
    return await Promise.all((await images.list()).map(({ id }) => images.get(id)));
  } finally {
    await machine.close();
  }
}

interface Identity {
  readonly id: string;
  readonly layers: readonly string[];
}

const identities = (images: readonly Identity[]): Identity[] =>
  images.map(({ id, layers }) => ({ id, layers })).toSorted((one, other) => (one.id < other.id ? -1 : 1));

function run(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, { encoding: "utf8", maxBuffer: 1 << 24, stdio: ["ignore", "pipe", "pipe"] });
}

/** What docker's and podman's `inspect` say. */
function inspected(json: string): Identity[] {
  const list = JSON.parse(json) as { Id: string; RootFS: { Layers: string[] } }[];
  return list.map(({ Id, RootFS }) => ({ id: Id.startsWith("sha256:") ? Id : `sha256:${Id}`, layers: RootFS.Layers }));
}

test("dockerd loads what we saved, runs it, and we load what dockerd saved", {
  skip: skip || (dockerdMissing() ?? false),
}, async () => {
  const dockerd = await startDockerd();
  const docker = (...args: string[]): string => run("docker", "-H", dockerd.host, ...args);
  try {
    await inSite(async ({ root, archive, own }) => {
      const said = docker("load", "-i", archive);
      assert.deepEqual(said.trim().split("\n").toSorted(), names.map((name) => `Loaded image: ${name}`).toSorted());
      assert.deepEqual(identities(inspected(docker("image", "inspect", ...names))), identities(own));
      assert.equal(docker("run", "--rm", "--network", "none", names[0], "ls", "/etc/opaque"), "new\n");
      const theirs = join(root, "theirs.tar");
      docker("save", "-o", theirs, ...names);
      assert.deepEqual(identities(await loadedElsewhere(root, theirs)), identities(own));
    });
  } finally {
    await dockerd.stop();
  }
});

test("podman loads what we saved, and we load what podman saved in either format", { skip: noPodman }, async () => {
  const hadLock = existsSync(podmanLock);
  await inSite(async ({ root, images, archive, own }) => {
    const storage = ["--root", join(root, "podman"), "--runroot", join(root, "pr"), "--storage-driver", "vfs"];
    const podman = (...args: string[]): string => run("podman", ...storage, "--events-backend", "none", ...args);
    podman("load", "-q", "-i", archive);
    const single = join(root, "single.tar");
    await pipeline(await images.save([names[1]]), createWriteStream(single));
    podman("rmi", names[1]);
    podman("load", "-q", "-i", single);
    assert.deepEqual(identities(inspected(podman("image", "inspect", ...names))), identities(own));
    for (const [number, format] of ["docker-archive", "oci-archive"].entries()) {
      const theirs = join(root, `podman-${format}.tar`);
      podman("save", "-q", "--format", format, "-o", theirs, names[number] ?? "");
      const place = join(root, format);
      mkdirSync(place);
      const [loaded] = await loadedElsewhere(place, theirs);
      assert.ok(loaded !== undefined);
      assert.deepEqual(loaded.layers, own[number]?.layers);
    }
  });
  if (!hadLock) rmSync(podmanLock, { force: true });
});

test("skopeo reads our archive as docker's and as OCI's, and copies it with every digest checked", {
  skip,
}, async () => {
  await inSite(async ({ root, archive, own }) => {
    const skopeo = (...args: string[]): string => run("skopeo", "--insecure-policy", ...args);
    const config = (source: string): Identity => {
      const text = skopeo("inspect", "--config", "--raw", source);
      const { rootfs } = JSON.parse(text) as { rootfs: { diff_ids: string[] } };
      return { id: `sha256:${createHash("sha256").update(text).digest("hex")}`, layers: rootfs.diff_ids };
    };
    const fromDocker = names.map((name) => config(`docker-archive:${archive}:${name}`));
    assert.deepEqual(identities(fromDocker), identities(own));
    const layout = join(root, "layout");
    for (const name of names) {
      skopeo("copy", "-q", `oci-archive:${archive}:${name}`, `oci:${layout}:${name}`);
    }
    assert.deepEqual(identities(names.map((name) => config(`oci:${layout}:${name}`))), identities(own));
  });
});

test("umoci unpacks what we saved as we unpack it", { skip }, async () => {
  await inSite(async ({ root, archive }) => {
    const layout = join(root, "layout");
    mkdirSync(layout);
    run("tar", "xf", archive, "-C", layout);
    const bundle = join(root, "bundle");
    run("umoci", "unpack", "--image", `${layout}:${names[0]}`, bundle);
    assert.deepEqual(readdirSync(join(bundle, "rootfs/etc/opaque")), ["new"]);
    assert.equal(existsSync(join(bundle, "rootfs/etc/hidden")), false);
  });
});

test("containerd imports what we saved with the same digests, and we load what it exported", {
  skip: skip || (containerdMissing() ?? false),
}, async () => {
  const { ctr, stop } = await startContainerd();
  try {
    await inSite(async ({ root, images, archive, own }) => {
      ctr("images", "import", "--snapshotter", "native", archive);
      const listed = ctr("images", "ls")
        .split("\n")
        .flatMap((line) => /^(\S+)\s+\S+\s+(sha256:[0-9a-f]{64})/.exec(line)?.slice(1) ?? []);
      const manifests = await Promise.all(
        names.map(async (name) => [`docker.io/library/${name}`, (await images.stored(name)).manifest.digest]),
      );
      assert.deepEqual(listed.toSorted(), manifests.flat().toSorted());
      const tops = own.map(({ layers }) => chainIds(linuxPorts.hasher, layers).at(-1) ?? "");
      const snapshots = ctr("snapshots", "--snapshotter", "native", "ls");
      for (const top of tops) assert.ok(snapshots.includes(top), snapshots);
      const theirs = join(root, "containerd.tar");
      ctr("images", "export", theirs, ...names.map((name) => `docker.io/library/${name}`));
      assert.deepEqual(identities(await loadedElsewhere(root, theirs)), identities(own));
    });
  } finally {
    await stop();
  }
});
