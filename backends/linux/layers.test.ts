/** Layers on overlayfs, with the kernel as the judge: what is applied here is mounted there. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { after, before, describe, test } from "node:test";
import { randomBytes } from "node:crypto";
import type { ContainerId } from "../../core/base/brand.ts";
import { decodeBytes, streamOf } from "../../core/base/bytes.ts";
import type { Machine } from "../../core/engine/machine.ts";
import type { DiffId } from "../../core/image/digest.ts";
import type { Change } from "../../core/unionfs/change.ts";
import { openLinuxMachine } from "./machine.ts";
import { changes, file, makeWorkshop, meta, missing, path, type Workshop } from "./testing/workshop.ts";

const directory = (name: string, given = {}): Change => ({ kind: "directory", path: path(name), meta: meta(given) });
const symlink = (name: string, target: string): Change => ({
  kind: "symlink",
  path: path(name),
  meta: meta({ mode: 0o777 }),
  target,
});

describe("layers on overlayfs", { skip: missing(), concurrency: false }, () => {
  let workshop: Workshop;
  let machine: Machine;

  before(async () => {
    workshop = makeWorkshop();
    machine = await openLinuxMachine(workshop);
  });
  after(async () => {
    await machine.close();
    workshop.remove();
  });

  const newLayer = (): DiffId => `sha256:${randomBytes(32).toString("hex")}` as DiffId;
  const newContainer = (): ContainerId => randomBytes(32).toString("hex") as ContainerId;

  async function apply(...list: Change[]): Promise<DiffId> {
    const layer = newLayer();
    await machine.layers.apply(layer, changes(...list));
    return layer;
  }

  /** Mounts the union as the kernel shows it, and looks. */
  async function mounted<T>(lowers: readonly DiffId[], look: (merged: string) => T): Promise<T> {
    const container = newContainer();
    await machine.layers.prepare(container, lowers);
    const { lowers: directories, upper, work, target } = machine.layers.overlay(container, lowers);
    const options = `lowerdir=${directories.toReversed().join(":")},upperdir=${upper},workdir=${work}`;
    execFileSync("mount", ["-t", "overlay", "overlay", "-o", options, target]);
    try {
      return look(target);
    } finally {
      execFileSync("umount", [target]);
      await machine.layers.discard(container);
    }
  }

  /** `find`'s own words about what is in a tree. */
  function found(root: string): string[] {
    const format = ["-mindepth", "1", "-printf", "%P %y %m %U:%G %T@ %l\\n"];
    return execFileSync("find", [root, ...format], { encoding: "utf8" })
      .split("\n")
      .slice(0, -1)
      .toSorted();
  }

  /** The names and kinds alone. */
  const shape = (root: string): string[] => found(root).map((line) => line.split(" ").slice(0, 2).join(" "));

  const read = async (lowers: readonly DiffId[], name: string, container = newContainer()): Promise<string | null> => {
    const bytes = await machine.layers.readFile(container, lowers, name, 1 << 20);
    return bytes === null ? null : decodeBytes(bytes);
  };

  test("every kind of entry arrives with owner, mode, nanoseconds and attributes", async () => {
    const layer = await apply(
      directory("", { mode: 0o711, uid: 5 }),
      directory("d", { mode: 0o2750, gid: 7, mtime: 1_600_000_000_000_000_001n }),
      file("d/f", "content", { mode: 0o4755, uid: 1000, gid: 1001, mtime: 12n }),
      { kind: "hardlink", path: path("d/same"), target: path("d/f") },
      symlink("d/l", "/nowhere/at all"),
      { kind: "fifo", path: path("d/p"), meta: meta({ mode: 0o600 }) },
      { kind: "character", path: path("d/null"), meta: meta({ mode: 0o666 }), major: 1, minor: 3 },
      { kind: "block", path: path("d/b"), meta: meta({ mode: 0o660, gid: 6 }), major: 259, minor: 70_000 },
      file("d/noted", "", { xattrs: new Map([["trusted.note", new TextEncoder().encode("here")]]) }),
      file("d/\udcff", "a name that is not UTF-8"),
    );
    await mounted([layer], (root) => {
      assert.deepEqual(found(root), [
        "d d 2750 0:7 1600000000.0000000010 ",
        "d/b b 660 0:6 1700000000.1234567890 ",
        "d/f f 4755 1000:1001 0.0000000120 ",
        "d/l l 777 0:0 1700000000.1234567890 /nowhere/at all",
        "d/noted f 755 0:0 1700000000.1234567890 ",
        "d/null c 666 0:0 1700000000.1234567890 ",
        "d/p p 600 0:0 1700000000.1234567890 ",
        "d/same f 4755 1000:1001 0.0000000120 ",
        "d/\ufffd f 755 0:0 1700000000.1234567890 ",
      ]);
      const { mode, uid } = fs.statSync(root);
      assert.deepEqual([mode & 0o7777, uid], [0o711, 5], "the root is the image's");
      assert.equal(fs.readFileSync(`${root}/d/same`, "utf8"), "content");
      assert.equal(fs.statSync(`${root}/d/f`).ino, fs.statSync(`${root}/d/same`).ino);
      assert.equal(fs.statSync(`${root}/d/b`).rdev, 259 * 256 + (70_000 & 255) + (70_000 - (70_000 & 255)) * 4096);
      const tar = execFileSync("tar", ["--xattrs", "--xattrs-include=*", "-cf", "-", "-C", root, "d/noted"]);
      assert.ok(tar.includes("SCHILY.xattr.trusted.note=here\n"));
    });
  });

  test("whiteouts and opaque directories hide what is below, as the kernel sees it and as we read it", async () => {
    const below = await apply(
      directory("etc"),
      file("etc/passwd", "below"),
      file("etc/kept", "kept"),
      directory("opaque"),
      file("opaque/old", "old"),
      directory("remade"),
      file("remade/old", "old"),
      file("gone", "gone"),
    );
    const above = await apply(
      { kind: "whiteout", path: path("etc/passwd") },
      { kind: "opaque", path: path("opaque") },
      file("opaque/new", "new"),
      { kind: "whiteout", path: path("remade") },
      directory("remade"),
      file("remade/new", "new"),
      { kind: "whiteout", path: path("gone") },
    );
    const lowers = [below, above];
    await mounted(lowers, (root) =>
      assert.deepEqual(shape(root), ["etc d", "etc/kept f", "opaque d", "opaque/new f", "remade d", "remade/new f"]),
    );
    const texts = ["etc/passwd", "etc/kept", "opaque/old", "opaque/new", "remade/old", "remade/new", "gone"];
    assert.deepEqual(await Promise.all(texts.map((name) => read(lowers, name))), [
      null,
      "kept",
      null,
      "new",
      null,
      "new",
      null,
    ]);
  });

  test("a check names whiteouts that are not listed, and what is listed and not there", async () => {
    const layer = await apply(
      directory("d"),
      { kind: "whiteout", path: path("d/listed") },
      { kind: "opaque", path: path("opaque") },
      { kind: "whiteout", path: path("\udcff") },
    );
    const problems = async (): Promise<string[]> => {
      const told: string[] = [];
      for await (const { thing, path, problem } of machine.layers.check())
        if (thing === `layer ${layer}`) told.push(`${path.replace(/.*\/diff\//, "")} ${problem}`);
      return told;
    };
    assert.deepEqual(await problems(), []);
    const { lowers } = machine.layers.overlay(newContainer(), [layer]);
    fs.rmSync(`${lowers[0]}/d/listed`);
    execFileSync("mknod", [`${lowers[0]}/d/unlisted`, "c", "0", "0"]);
    execFileSync("mknod", [`${lowers[0]}/d/device`, "c", "1", "3"]);
    assert.deepEqual(await problems(), [
      "d/unlisted has a whiteout that its list of hidden paths does not name",
      "d/listed does not have what its list of hidden paths names",
    ]);
    await machine.layers.remove(layer);
  });

  test("later entries replace earlier ones of any kind, and never through a symlink", async () => {
    const layer = await apply(
      directory("d"),
      file("d/x", "1"),
      file("d", "a file now"),
      symlink("l", "d"),
      file("l", "was a link"),
      file("f", "was a file"),
      directory("f"),
      file("f/inside", "x"),
    );
    await mounted([layer], (root) => {
      assert.deepEqual(shape(root), ["d f", "f d", "f/inside f", "l f"]);
      assert.equal(fs.readFileSync(`${root}/d`, "utf8"), "a file now");
    });
  });

  test("nothing outside the layer is touched, whatever its symlinks say", async () => {
    const outside = `${workshop.directory}/outside`;
    fs.mkdirSync(outside);
    fs.writeFileSync(`${outside}/victim`, "untouched");
    const before = found(outside);
    const layer = await apply(
      symlink("absolute", outside),
      file("absolute/made", "x"),
      file("absolute/victim", "overwritten"),
      symlink("climbing", "../../../../../../../../../../../../../../..".concat(outside)),
      file("climbing/made", "x"),
      { kind: "whiteout", path: path("climbing/victim") },
      symlink("final", `${outside}/victim`),
      file("final", "replaced"),
      symlink("directory", outside),
      directory("directory", { mode: 0o777, uid: 12 }),
      directory("swapped"),
      file("swapped/a", "x"),
      { kind: "whiteout", path: path("swapped") },
    );
    assert.deepEqual(found(outside), before);
    assert.equal(fs.readFileSync(`${outside}/victim`, "utf8"), "untouched");
    await mounted([layer], (root) => assert.equal(fs.readFileSync(`${root}${outside}/made`, "utf8"), "x"));
    fs.rmSync(outside, { recursive: true });
  });

  test("a hard link cannot reach outside the layer", async () => {
    await assert.rejects(
      apply(symlink("out", "/etc"), { kind: "hardlink", path: path("mine"), target: path("out/passwd") }),
      { code: "corrupt", data: { errno: "ENOENT", path: "mine" } },
    );
  });

  test("what fails leaves nothing: bad changes, content of the wrong length, an iterable that throws", async () => {
    const layer = newLayer();
    const directory_ = `${workshop.dataRoot}/layers`;
    const before = fs.readdirSync(directory_);
    async function* throwing(): AsyncGenerator<Change> {
      yield directory("d");
      yield file("d/f", "x".repeat(300_000));
      throw new Error("the tar is cut short");
    }
    const attempts: [AsyncIterable<Change>, object][] = [
      [changes({ kind: "hardlink", path: path("a"), target: path("missing") }), { code: "corrupt" }],
      [changes({ ...file("short", "1234"), size: 5 } as Change), { code: "corrupt", message: /short.* 5 bytes/ }],
      [changes({ ...file("long", "1234"), size: 3 } as Change), { code: "corrupt", message: /long.* 3 bytes/ }],
      [throwing(), { message: "the tar is cut short" }],
    ];
    for (const [list, error] of attempts) await assert.rejects(machine.layers.apply(layer, list), error);
    assert.deepEqual(fs.readdirSync(directory_), before);
    assert.equal(await machine.layers.has(layer), false);
    assert.deepEqual(fs.readdirSync(workshop.runRoot), [], "no socket is left");
  });

  test("a layer with a full disk under it fails naming the file, and leaves nothing", async () => {
    const small = makeWorkshop();
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", small.dataRoot]);
    const cramped = await openLinuxMachine(small);
    try {
      const layer = newLayer();
      await assert.rejects(cramped.layers.apply(layer, changes(file("big", new Uint8Array(3_000_000)))), {
        code: "failed",
        message: `layer ${layer}: big: no space left on device`,
      });
      assert.deepEqual(fs.readdirSync(`${small.dataRoot}/layers`), []);
    } finally {
      await cramped.close();
      execFileSync("umount", [small.dataRoot]);
      small.remove();
    }
  });

  test("the same layer applied twice at the same time is there once", async () => {
    const layer = newLayer();
    await Promise.all([1, 2].map(() => machine.layers.apply(layer, changes(file("f", "x")))));
    assert.deepEqual(
      (await machine.layers.list()).filter((each) => each === layer),
      [layer],
    );
    assert.deepEqual(
      fs.readdirSync(`${workshop.dataRoot}/layers`).filter((name) => name.startsWith(".")),
      [],
    );
    await machine.layers.remove(layer);
    assert.equal(await machine.layers.has(layer), false);
  });

  test("what a crash left half made is removed when the machine opens", async () => {
    const own = makeWorkshop();
    fs.mkdirSync(`${own.dataRoot}/layers/.1-1/diff/d`, { recursive: true });
    await (await openLinuxMachine(own)).close();
    assert.deepEqual(fs.readdirSync(`${own.dataRoot}/layers`), []);
    own.remove();
  });

  test("readFile sees the container's own changes, follows symlinks inside, and reads only files", async () => {
    const layer = await apply(
      directory("etc"),
      file("etc/passwd", "image's"),
      file("etc/group", "groups"),
      symlink("relative", "etc/../etc/./group"),
      symlink("absolute", "/etc/group"),
      symlink("etc/up", "../../../../etc/group"),
      symlink("loop", "loop"),
      symlink("host", "/proc/self/status"),
      symlink("dir", "/etc"),
      { kind: "fifo", path: path("fifo"), meta: meta() },
    );
    const container = newContainer();
    await machine.layers.prepare(container, [layer]);
    const { upper } = machine.layers.overlay(container, [layer]);
    fs.mkdirSync(`${upper}/etc`);
    fs.writeFileSync(`${upper}/etc/passwd`, "container's");
    const names = [
      "/etc/passwd",
      "relative",
      "absolute",
      "etc/up",
      "dir/group",
      "loop",
      "host",
      "fifo",
      "etc",
      "no/no",
    ];
    const seen = await Promise.all(names.map((name) => read([layer], name, container)));
    assert.deepEqual(seen, ["container's", "groups", "groups", "groups", "groups", null, null, null, null, null]);
    const cut = await machine.layers.readFile(container, [layer], "/etc/group", 3);
    assert.equal(decodeBytes(cut ?? new Uint8Array()), "gro");
    await machine.layers.discard(container);
  });

  test("a large file arrives whole", async () => {
    const bytes = randomBytes(5_000_000);
    async function* slices(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < bytes.length; at += 70_001) yield bytes.subarray(at, at + 70_001);
    }
    const change: Change = { kind: "file", path: path("big"), meta: meta(), size: bytes.length, content: slices() };
    const layer = await apply(change, {
      ...file("next", "n"),
      content: streamOf(new TextEncoder().encode("n")),
    } as Change);
    await mounted([layer], (root) => assert.ok(fs.readFileSync(`${root}/big`).equals(bytes)));
  });
});
