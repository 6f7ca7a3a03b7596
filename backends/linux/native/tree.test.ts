/** Trees built by the helper from changes, seen with the kernel's own eyes; hostile ones stay inside. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { HostPath } from "../../../core/base/brand.ts";
import type { Meta, TreePath } from "../../../core/unionfs/change.ts";
import { FrameReader } from "../wire/frame.ts";
import { decodeTreeReply, TreeFrames, type TreeOp, type TreeReply } from "../wire/tree.ts";
import { Helper, makeWorkshop, missing, removeWorkshop } from "./harness.ts";

const reason = missing();
const mtime = 1_234_567_890_123_456_789n;
const at = (path: string): TreePath => path as TreePath;
const meta = (mode: number, more: Partial<Meta> = {}): Meta => ({
  mode,
  uid: 12,
  gid: 34,
  mtime,
  xattrs: new Map(),
  ...more,
});

describe("a tree", { skip: reason ?? false }, () => {
  let workshop: string;
  let helper: Helper;

  before(() => {
    workshop = makeWorkshop();
    helper = new Helper(join(workshop, "helper"));
  });

  after(async () => {
    await helper.close();
    removeWorkshop(workshop);
  });

  /** Text is content, a number the offset in `source` to copy it from. */
  async function build(
    ops: readonly (TreeOp | string | number)[],
    source?: string,
  ): Promise<{ root: string; reply: TreeReply }> {
    const directory = mkdtempSync(join(workshop, "t-"));
    const root = join(directory, "root");
    const socket = join(directory, "s");
    mkdirSync(root);
    const listening = await helper.ask({ kind: "tree", root: root as HostPath, socket: socket as HostPath });
    assert.deepEqual(listening, { kind: "listening" });
    const client = connect(socket);
    const { promise, resolve } = Promise.withResolvers<TreeReply>();
    const frames = new FrameReader();
    client.on("data", (chunk: Uint8Array) => frames.push(chunk).forEach((frame) => resolve(decodeTreeReply(frame))));
    const told = new TreeFrames();
    if (source !== undefined) told.source(source as HostPath);
    for (const op of ops) {
      if (typeof op === "number") told.copy(op);
      else if (typeof op === "string") told.content(Buffer.from(op));
      else told.op(op);
    }
    told.flush();
    client.write(told.bytes);
    const reply = await promise;
    client.destroy();
    return { root, reply };
  }

  const seen = (path: string): string => {
    const { mode, uid, gid } = lstatSync(path);
    const { mtimeNs } = lstatSync(path, { bigint: true });
    return `${mode.toString(8)} ${uid}:${gid} ${mtimeNs}`;
  };

  test("has every kind of entry with its owner, mode, times and attributes", async () => {
    const capability = Buffer.from("0100000200200000000000000000000000000000", "hex");
    const { root, reply } = await build([
      { kind: "directory", path: at("d"), meta: meta(0o2750) },
      {
        kind: "file",
        path: at("d/f"),
        meta: meta(0o4755, { xattrs: new Map([["security.capability", capability]]) }),
        size: 5,
      },
      "he",
      "llo",
      { kind: "file", path: at("d/empty"), meta: meta(0o600), size: 0 },
      { kind: "hardlink", path: at("d/link"), target: at("d/f") },
      { kind: "symlink", path: at("d/s"), meta: meta(0o777), target: "/etc/passwd" },
      { kind: "character", path: at("d/c"), meta: meta(0o666), major: 1, minor: 3 },
      { kind: "block", path: at("d/b"), meta: meta(0o660), major: 0, minor: 7 },
      { kind: "fifo", path: at("d/p"), meta: meta(0o644) },
      { kind: "directory", path: at(""), meta: meta(0o755) },
    ]);
    assert.deepEqual(reply, { kind: "ok" });
    const times = `12:34 ${mtime}`;
    assert.deepEqual(
      ["", "d", "d/f", "d/empty", "d/link", "d/s", "d/c", "d/b", "d/p"].map((path) => seen(join(root, path))),
      [40755, 42750, 104755, 100600, 104755, 120777, 20666, 60660, 10644].map((mode) => `${mode} ${times}`),
    );
    assert.equal(readFileSync(join(root, "d/f"), "utf8"), "hello");
    assert.equal(lstatSync(join(root, "d/f")).ino, lstatSync(join(root, "d/link")).ino);
    const devices = execFileSync("stat", ["-c", "%t:%T", join(root, "d/c"), join(root, "d/b")], { encoding: "utf8" });
    assert.equal(devices, "1:3\n0:7\n");
    assert.equal(attribute(join(root, "d/f"), "security.capability"), `0x${capability.toString("hex")}`);
  });

  test("knows times before 1970", async () => {
    const { root } = await build([{ kind: "file", path: at("old"), meta: meta(0o644, { mtime: -1n }), size: 0 }]);
    assert.equal(lstatSync(join(root, "old"), { bigint: true }).mtimeNs, -1n);
  });

  test("makes whiteouts and opaque directories as overlayfs reads them", async () => {
    const { root } = await build([
      { kind: "whiteout", path: at("a/gone") },
      { kind: "opaque", path: at("hidden") },
      { kind: "directory", path: at("kept"), meta: meta(0o755) },
      { kind: "whiteout", path: at("kept") },
      { kind: "whiteout", path: at("again") },
      { kind: "directory", path: at("again"), meta: meta(0o755) },
    ]);
    assert.equal(lstatSync(join(root, "a/gone")).rdev, 0);
    assert(lstatSync(join(root, "a/gone")).isCharacterDevice());
    const opaque = ["hidden", "kept", "again"].map((name) => attribute(join(root, name), "trusted.overlay.opaque"));
    assert.deepEqual(opaque, ["0x79", "0x79", "0x79"]);
  });

  test("lets a later entry replace an earlier one of any kind", async () => {
    const file = (path: string): TreeOp => ({ kind: "file", path: at(path), meta: meta(0o644), size: 0 });
    const directory = (path: string): TreeOp => ({ kind: "directory", path: at(path), meta: meta(0o755) });
    const link = (path: string): TreeOp => ({ kind: "symlink", path: at(path), meta: meta(0o777), target: "x" });
    const { root, reply } = await build([
      directory("a"),
      file("a/deep"),
      file("a"),
      link("b"),
      directory("b"),
      file("b/in"),
      file("c"),
      link("c"),
      directory("d"),
      file("d/stays"),
      directory("d"),
    ]);
    assert.deepEqual(reply, { kind: "ok" });
    const kinds = ["a", "b/in", "c", "d/stays"].map((path) => lstatSync(join(root, path)).mode >> 12);
    assert.deepEqual(kinds, [8, 8, 10, 8]);
  });

  test("touches nothing outside, whatever its paths and symlinks say", async () => {
    const outside = mkdtempSync(join(workshop, "outside-"));
    writeFileSync(join(outside, "file"), "safe");
    const link = (path: string, target: string): TreeOp => ({
      kind: "symlink",
      path: at(path),
      meta: meta(0o777),
      target,
    });
    const file = (path: string): TreeOp => ({ kind: "file", path: at(path), meta: meta(0o644), size: 0 });
    const { root } = await build([
      link("absolute", outside),
      file("absolute/planted"),
      link("climbing", `../../../../../../../..${outside}`),
      file("climbing/planted2"),
      file("../../escaped"),
      link("end", join(outside, "file")),
      file("end"),
      { kind: "directory", path: at("absolute"), meta: meta(0o700) },
    ]);
    assert.deepEqual(readdirSync(outside), ["file"]);
    assert.equal(readFileSync(join(outside, "file"), "utf8"), "safe");
    assert.deepEqual(readdirSync(join(root, "..")), ["root"]);
    assert(existsSync(join(root, "escaped")));
    await assert.rejects(async () => {
      const { reply } = await build([
        link("l", outside),
        { kind: "hardlink", path: at("stolen"), target: at("l/file") },
      ]);
      throw new Error(JSON.stringify(reply));
    }, /"hardlink","errno":"ENOENT","path":"stolen"/);
  });

  test("does not let a layer speak overlayfs's own language", async () => {
    const xattrs = new Map([["trusted.overlay.redirect", Buffer.from("/etc")]]);
    const { root } = await build([{ kind: "directory", path: at("d"), meta: meta(0o755, { xattrs }) }]);
    assert.equal(attribute(join(root, "d"), "trusted.overlay.redirect"), null);
  });

  test("says which entry failed and why", async () => {
    const file: TreeOp = { kind: "file", path: at("f"), meta: meta(0o644), size: 3 };
    assert.deepEqual((await build([file, "four"])).reply, {
      kind: "failed",
      op: "content",
      errno: "EINVAL",
      path: "f",
    });
    assert.deepEqual((await build([file, "ab"])).reply, { kind: "failed", op: "flush", errno: "EINVAL", path: "f" });
    const under: TreeOp = { kind: "fifo", path: at("f/p"), meta: meta(0o644) };
    assert.deepEqual((await build([{ ...file, size: 0 }, under])).reply, {
      kind: "failed",
      op: "fifo",
      errno: "ENOTDIR",
      path: "f/p",
    });
  });

  test("takes contents out of a file of the host, and says what that file lacks", async () => {
    const source = join(workshop, "source");
    writeFileSync(source, `head${"x".repeat(300_000)}tail`);
    const file = (path: string, size: number): TreeOp => ({ kind: "file", path: at(path), meta: meta(0o640), size });
    const { root, reply } = await build([file("large", 300_002), 2, file("small", 4), 300_004], source);
    assert.deepEqual(reply, { kind: "ok" });
    assert.equal(readFileSync(join(root, "large"), "utf8"), `ad${"x".repeat(300_000)}`);
    assert.equal(readFileSync(join(root, "small"), "utf8"), "tail");
    assert.equal(seen(join(root, "small")), `100640 12:34 ${mtime}`);
    const failed = (op: string, errno: string, path: string) => ({ kind: "failed", op, errno, path });
    assert.deepEqual((await build([file("f", 5), 300_004], source)).reply, failed("copy", "EIO", "f"));
    assert.deepEqual((await build([file("f", 5), 0])).reply, failed("copy", "EINVAL", "f"));
    assert.deepEqual((await build([], "/no/such/file")).reply, failed("source", "ENOENT", "/no/such/file"));
  });

  test("is removed whole, however deep, without following what it holds", async () => {
    const outside = mkdtempSync(join(workshop, "outside-"));
    writeFileSync(join(outside, "file"), "safe");
    const root = mkdtempSync(join(workshop, "r-"));
    execFileSync("sh", ["-c", "for i in $(seq 450); do mkdir d && cd -P d && touch f; done"], { cwd: root });
    symlinkSync(outside, join(root, "link"));
    const remove = () => helper.ask({ kind: "remove-tree", path: root as HostPath });
    assert.deepEqual(await remove(), { kind: "done" });
    assert.deepEqual([existsSync(root), existsSync(join(outside, "file"))], [false, true]);
    assert.deepEqual(await remove(), { kind: "done" }, "nothing there is no error");
  });

  test("is not removed across a mount", async () => {
    const root = mkdtempSync(join(workshop, "r-"));
    const mounted = join(root, "mounted");
    mkdirSync(mounted);
    execFileSync("mount", ["-t", "tmpfs", "tmpfs", mounted]);
    writeFileSync(join(mounted, "file"), "safe");
    try {
      const reply = await helper.ask({ kind: "remove-tree", path: root as HostPath });
      assert.deepEqual([reply.kind, readFileSync(join(mounted, "file"), "utf8")], ["failed", "safe"]);
    } finally {
      execFileSync("umount", [mounted]);
    }
  });
});

/** By lgetxattr(2): node has no call for it, and the tool that prints attributes is often not installed. */
function attribute(path: string, name: string): string | null {
  const call = process.arch === "arm64" ? "9" : "192";
  const script = 'my $b = "\\0" x 256; my $n = syscall($ARGV[2] + 0, $ARGV[0], $ARGV[1], $b, 256);';
  const print = 'print $n < 0 ? "" : "0x" . unpack("H*", substr($b, 0, $n))';
  const printed = execFileSync("perl", ["-e", `${script} ${print}`, path, name, call], { encoding: "utf8" });
  return printed === "" ? null : printed;
}
