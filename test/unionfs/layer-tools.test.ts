/**
 * Layers against the tools that other engines use: what GNU tar, umoci, and skopeo with podman make of our tars is the tree
 * that we make of them; of the tars that GNU tar, umoci and podman write we make the tree that they were written of. Trees
 * are told by oracle.c, which sees names, kinds, modes, owners, links, sizes, times, devices, attributes and content.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { openLinuxMachine } from "../../backends/linux/machine.ts";
import { scratch } from "../../backends/linux/testing/scratch.ts";
import type { ContainerId, HostPath } from "../../core/base/brand.ts";
import { readAll, streamOf } from "../../core/base/bytes.ts";
import type { Machine } from "../../core/engine/machine.ts";
import type { Descriptor } from "../../core/image/descriptor.ts";
import type { DiffId } from "../../core/image/digest.ts";
import { changesOfTar, tarOfChanges } from "../../core/image/layer.ts";
import type { Change } from "../../core/unionfs/change.ts";
import { layer, layoutArchive, sha256 } from "../images/forge.ts";
import { comparable, openOracle } from "./against-kernel.ts";
import { toolLayers } from "./layer-cases.ts";

const tools = ["umoci", "skopeo", "podman"].filter((tool) => spawnSync(tool, ["--version"]).status !== 0);
const skip =
  process.getuid?.() !== 0
    ? "unpacks owners and devices: needs root"
    : tools.length > 0
      ? `${tools.join(", ")} not installed`
      : false;

describe("layers of other tools", { skip, concurrency: false }, () => {
  let root: string;
  let machine: Machine;
  const mounted: string[] = [];

  before(async () => {
    root = scratch("tools");
    machine = await openLinuxMachine({ dataRoot: join(root, "data"), runRoot: join(root, "run") });
  });
  after(async () => {
    for (const place of mounted) execFileSync("umount", [place]);
    await machine.close();
    fs.rmSync(root, { recursive: true });
  });

  /** Our layers of these tars, mounted. */
  async function unionOf(name: string, tars: readonly Uint8Array[]): Promise<string> {
    const lowers: DiffId[] = [];
    for (const [number, tar] of tars.entries()) {
      const id = sha256(Buffer.concat([tar, Buffer.from(`${name} ${number}`)])) as string as DiffId;
      await machine.layers.apply(id, changesOfTar(streamOf(tar), name));
      lowers.push(id);
    }
    const container = sha256(Buffer.from(name)).slice(7) as ContainerId;
    await machine.layers.prepare(container, lowers);
    const { lowers: below, upper, work, target } = machine.layers.overlay(container, lowers);
    const options = `lowerdir=${below.toReversed().join(":")},upperdir=${upper},workdir=${work}`;
    execFileSync("mount", ["-t", "overlay", "overlay", "-o", options, target]);
    mounted.push(target);
    return target;
  }

  const place = (name: string): string => {
    fs.mkdirSync(join(root, name));
    return join(root, name);
  };

  /** By the layers from the bottom. */
  const ours = async (): Promise<Uint8Array[]> =>
    Promise.all(toolLayers().map((changes) => readAll(tarOfChanges(inTurn(changes)), 1 << 24)));

  async function ourImage(): Promise<{ archive: string; tars: Uint8Array[] }> {
    const tars = await ours();
    const archive = join(root, "ours.tar");
    if (!fs.existsSync(archive)) {
      const layers = tars.map((tar) => layer(tar));
      fs.writeFileSync(archive, await layoutArchive({ layers, top: named }));
    }
    return { archive, tars };
  }

  test("GNU tar makes of our tar the tree that we make of it", async () => {
    const [tar] = await ours();
    assert.ok(tar !== undefined);
    fs.writeFileSync(join(root, "layer.tar"), tar);
    const theirs = place("by-tar");
    run("tar", ["--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf", join(root, "layer.tar"), "-C", theirs]);
    await same(theirs, await unionOf("for-tar", [tar]));
  });

  test("umoci makes of our image the tree that we make of it", async () => {
    const { archive, tars } = await ourImage();
    const layout = place("layout");
    run("tar", ["-xf", archive, "-C", layout]);
    run("umoci", ["unpack", "--image", `${layout}:ours`, join(root, "bundle")]);
    await same(join(root, "bundle/rootfs"), await unionOf("for-umoci", tars));
  });

  test("skopeo and podman make of our image the tree that we make of it, and we of what podman writes", async () => {
    const { archive, tars } = await ourImage();
    const hadLock = fs.existsSync("/dev/shm/libpod_lock");
    const storage = ["--root", join(root, "podman"), "--runroot", join(root, "pr"), "--storage-driver", "vfs"];
    const podman = (...args: string[]): string =>
      run("podman", [...storage, "--events-backend", "none", ...args]).trim();
    const store = `containers-storage:[vfs@${join(root, "podman")}+${join(root, "pr")}]localhost/ours:latest`;
    run("skopeo", ["--insecure-policy", "copy", "-q", `oci-archive:${archive}:ours`, store]);
    const theirs = podman("image", "mount", "localhost/ours:latest");
    await same(theirs, await unionOf("for-podman", tars));

    podman("create", "--name", "changed", "localhost/ours:latest", "/hello");
    const changed = podman("mount", "changed");
    change(changed);
    podman("commit", "-q", "--format", "oci", "changed", "localhost/theirs:latest");
    const saved = join(root, "podman.tar");
    podman("save", "-q", "--format", "oci-archive", "-o", saved, "localhost/theirs:latest");
    await same(changed, await unionOf("by-podman", layersIn(saved, place("podman-layout"))));
    podman("rm", "-f", "changed");
    if (!hadLock) fs.rmSync("/dev/shm/libpod_lock", { force: true });
  });

  test("of a layer that umoci writes we make the tree that it was written of", async () => {
    const { archive } = await ourImage();
    const layout = place("umoci-layout");
    run("tar", ["-xf", archive, "-C", layout]);
    const bundle = join(root, "umoci-bundle");
    run("umoci", ["unpack", "--image", `${layout}:ours`, bundle]);
    change(join(bundle, "rootfs"));
    run("umoci", ["repack", "--image", `${layout}:ours`, bundle]);
    await same(join(bundle, "rootfs"), await unionOf("by-umoci", layersOf(layout)));
  });

  for (const format of ["posix", "gnu"])
    test(`of a tar that GNU tar writes as ${format} we make the tree that it was written of`, async () => {
      const [first] = await ours();
      assert.ok(first !== undefined);
      const source = place(`source-${format}`);
      fs.writeFileSync(join(root, "source.tar"), first);
      run("tar", ["--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf", join(root, "source.tar"), "-C", source]);
      if (format === "gnu") stripped(source);
      const written = join(root, `${format}.tar`);
      const attributes = format === "posix" ? ["--xattrs", "--xattrs-include=*"] : [];
      run("tar", [`--format=${format}`, "--numeric-owner", ...attributes, "-cf", written, "-C", source, "."]);
      await same(source, await unionOf(`by-tar-${format}`, [fs.readFileSync(written)]));
    });
});

/** The tag by which layouts are read. */
const named = (descriptor: Descriptor): object => ({
  ...descriptor,
  annotations: { "org.opencontainers.image.ref.name": "ours" },
});

async function* inTurn(changes: readonly Change[]): AsyncGenerator<Change, void, undefined> {
  yield* changes;
}

function run(program: string, args: readonly string[]): string {
  return execFileSync(program, args, { encoding: "utf8", maxBuffer: 1 << 24, stdio: ["ignore", "pipe", "pipe"] });
}

/** What a container might do to its files. */
function change(root: string): void {
  const at = (path: string): HostPath => `${root}/${path}` as HostPath;
  fs.rmSync(at("d/f"));
  fs.rmSync(at("whole"), { recursive: true });
  fs.mkdirSync(at("whole"));
  fs.writeFileSync(at("whole/fresh"), "new");
  fs.rmSync(at("turned"), { recursive: true });
  fs.writeFileSync(at("turned"), "was a directory");
  fs.rmSync(at("kept"));
  fs.mkdirSync(at("kept"));
  fs.chmodSync(at("d"), 0o700);
  fs.symlinkSync("d", at("way"));
  fs.linkSync(at("d/one"), at("three"));
  for (const path of ["d/one", "whole/fresh", "whole", "turned", "kept", "d", ""]) fs.utimesSync(at(path), 5, 6);
  fs.lutimesSync(at("way"), 5, 6);
}

/** GNU's own format has no fractions of seconds and no attributes. */
function stripped(root: string): void {
  run("sh", [
    "-c",
    `find "$1" -exec touch -h -d @77 {} + ; find "$1" -type f -exec setfattr -x user.note {} + 2>/dev/null; find "$1" -type f -exec setfattr -x security.capability {} + 2>/dev/null; true`,
    "sh",
    root,
  ]);
}

/** The plain layers of the only image in an archive of a layout. */
function layersIn(archive: string, layout: string): Uint8Array[] {
  run("tar", ["-xf", archive, "-C", layout]);
  return layersOf(layout);
}

function layersOf(layout: string): Uint8Array[] {
  const document = (path: string): unknown => JSON.parse(fs.readFileSync(join(layout, path), "utf8"));
  const blob = (digest: string): string => `blobs/${digest.replace(":", "/")}`;
  const { manifests } = document("index.json") as { manifests: { digest: string }[] };
  const { layers } = document(blob(manifests[0]?.digest ?? "")) as { layers: { digest: string; mediaType: string }[] };
  return layers.map(({ digest, mediaType }) => {
    const path = join(layout, blob(digest));
    return mediaType.endsWith("gzip")
      ? execFileSync("gunzip", ["-c", path], { maxBuffer: 1 << 26 })
      : fs.readFileSync(path);
  });
}

/** Whatever is mounted by now. */
async function same(theirs: string, ourTree: string): Promise<void> {
  const oracle = openOracle();
  assert.ok(typeof oracle !== "string");
  try {
    assert.deepEqual(await told(oracle, ourTree), await told(oracle, theirs));
  } finally {
    oracle.close();
  }
}

/** A union has directories of one link, and ours no number of a device. */
async function told(oracle: Exclude<ReturnType<typeof openOracle>, string>, root: string): Promise<string[]> {
  const lines = await oracle.run([["enter", root], ["view"], ["leave"]]);
  return comparable(null, lines).map((line) => line.replace(/^(\S+ directory \S+ \S+ \S+) \d+/, "$1 -"));
}
