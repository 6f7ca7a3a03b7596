/** The disk of a Linux machine: all or nothing, and errnos by name. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { afterEach, beforeEach, describe, test } from "node:test";
import { scratch } from "./testing/scratch.ts";
import type { HostPath } from "../../core/base/brand.ts";
import { decodeBytes, encodeText, readAll, streamOf } from "../../core/base/bytes.ts";
import { LinuxDisk } from "./disk.ts";

describe("the disk", () => {
  let directory: string;
  let disk: LinuxDisk;

  beforeEach(() => {
    directory = scratch("disk");
    disk = new LinuxDisk(directory as HostPath, directory as HostPath);
  });
  afterEach(() => fs.rmSync(directory, { recursive: true }));

  const at = (name: string): HostPath => `${directory}/${name}` as HostPath;

  test("what is written is read, whole and in parts", async () => {
    await disk.writeAtomically(at("a"), encodeText("old"));
    await disk.writeAtomically(at("a"), encodeText("0123456789"));
    assert.equal(decodeBytes(await disk.read(at("a"))), "0123456789");
    const parts = [
      disk.stream(at("a")),
      disk.stream(at("a"), 4),
      disk.stream(at("a"), 4, 3),
      disk.stream(at("a"), 4, 0),
    ];
    const texts = await Promise.all(parts.map(async (part) => decodeBytes(await readAll(part, 100))));
    assert.deepEqual(texts, ["0123456789", "456789", "456", ""]);
    assert.deepEqual(fs.readdirSync(directory), ["a"]);
  });

  test("a stream that fails leaves the old file, or none", async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield encodeText("half");
      throw new Error("cut");
    }
    await assert.rejects(disk.writeStream(at("none"), failing()), { message: "cut" });
    await disk.writeStream(at("there"), streamOf(encodeText("whole"), encodeText(" file")));
    await assert.rejects(disk.writeStream(at("there"), failing()), { message: "cut" });
    assert.equal(decodeBytes(await disk.read(at("there"))), "whole file");
    assert.deepEqual(fs.readdirSync(directory), ["there"]);
  });

  test("failures name the errno and the path", async () => {
    fs.writeFileSync(at("file"), "");
    const attempts: [() => Promise<unknown>, string, string][] = [
      [() => disk.read(at("missing")), "ENOENT", at("missing")],
      [() => disk.read(at("")), "EISDIR", at("")],
      [() => readAll(disk.stream(at("missing")), 1), "ENOENT", at("missing")],
      [() => disk.writeAtomically(at("no/such"), new Uint8Array()), "ENOENT", at("no/such")],
      [() => disk.rename(at("missing"), at("x")), "ENOENT", at("missing")],
      [() => disk.makeDirectory(at("file")), "EEXIST", at("file")],
      [() => disk.list(at("file")), "ENOTDIR", at("file")],
    ];
    for (const [attempt, errno, path] of attempts) await assert.rejects(attempt(), { name: "Errno", errno, path });
  });

  test("directories are made with their parents and their mode, whatever the umask", async () => {
    const before = process.umask(0o077);
    await disk.makeDirectory(at("a/b/c"), 0o751).finally(() => process.umask(before));
    assert.equal((await disk.stat(at("a/b/c")))?.mode, 0o751);
    await disk.makeDirectory(at("a/b/c"), 0o700);
    assert.equal((await disk.stat(at("a/b/c")))?.mode, 0o751, "one that is there stays as it is");
    assert.deepEqual(await disk.list(at("a")), ["b"]);
    assert.deepEqual(await disk.list(at("missing")), []);
  });

  test("stat tells kinds and does not follow symlinks; null is nothing", async () => {
    fs.writeFileSync(at("f"), "123");
    fs.symlinkSync("f", at("l"));
    const kinds = await Promise.all(["f", "l", ".", "missing", "f/x"].map((name) => disk.stat(at(name))));
    assert.deepEqual(
      kinds.map((stat) => stat?.kind ?? null),
      ["file", "symlink", "directory", null, null],
    );
    const [zero, memory] = [await disk.stat("/dev/zero" as HostPath), await disk.stat("/dev/null" as HostPath)];
    assert.deepEqual([zero?.device, memory?.device?.minor], [{ type: "c", major: 1, minor: 5 }, 3]);
  });

  test("what is added to a file is handed on once it is there; a failure keeps what came before", async () => {
    const piece = new Uint8Array(700_000).fill(7);
    async function* pieces(count: number, end = (): void => {}): AsyncGenerator<Uint8Array> {
      for (let number = 0; number < count; number++) yield piece;
      end();
    }
    let read = 0;
    for await (const chunk of disk.append(at("f"), pieces(12))) {
      read += chunk.length;
      assert.ok(fs.statSync(at("f")).size >= read);
    }
    assert.equal(read, 12 * piece.length);
    const cut = (): never => {
      throw new Error("cut");
    };
    await assert.rejects(readAll(disk.append(at("f"), pieces(3, cut)), 1 << 24), { message: "cut" });
    assert.equal(fs.statSync(at("f")).size, 15 * piece.length);
    for await (const _ of disk.append(at("left"), pieces(1000))) break;
    assert.ok(fs.statSync(at("left")).size < 20 * piece.length);
  });

  test("a stream may use its chunks' memory again, and what is handed on is what is in the file", async () => {
    const lengths = [1, 700_000, 64 * 1024, 2_500_000, 3];
    const memory = new Uint8Array(Math.max(...lengths));
    async function* reusing(): AsyncGenerator<Uint8Array> {
      for (const [number, length] of lengths.entries()) yield memory.fill(number + 1).subarray(0, length);
    }
    const expected = Buffer.concat(lengths.map((length, number) => Buffer.alloc(length, number + 1)));
    const handedOn = await readAll(disk.append(at("reused"), reusing()), 1 << 24);
    assert.ok(expected.equals(handedOn));
    assert.ok(expected.equals(fs.readFileSync(at("reused"))));
  });

  test("remove takes files, trees, symlinks but not their targets, and what is not there", async () => {
    fs.mkdirSync(at("t/u"), { recursive: true });
    fs.writeFileSync(at("t/u/f"), "");
    fs.mkdirSync(at("kept"));
    fs.symlinkSync("../kept", at("t/link"));
    fs.symlinkSync("kept", at("link"));
    for (const name of ["t", "link", "missing"]) await disk.remove(at(name));
    assert.deepEqual(fs.readdirSync(directory), ["kept"]);
  });
});
