/** Which helper binary is taken, and what is said when there is none. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { scratch } from "./testing/scratch.ts";
import { findHelper, type HelperPlaces, writePrebuilt } from "./helper-binary.ts";

describe("the helper's binary", () => {
  let directory: string;
  let places: HelperPlaces;
  const path = process.env["PATH"];

  beforeEach(() => {
    directory = scratch("binary");
    places = {
      sources: join(directory, "c"),
      prebuilt: join(directory, "dist/helper"),
      cache: join(directory, "cache"),
    };
    fs.mkdirSync(join(directory, "bin"));
    process.env["PATH"] = `${join(directory, "bin")}:${path}`;
    fs.mkdirSync(places.sources);
    writeSource("first");
    for (const name of ["musl-gcc", "gcc"])
      compiler(
        name,
        `echo called >> ${directory}/log; [ ! -e ${directory}/${name}.broken ] || { echo "x.c:1: error: no such header" >&2; exit 1; }; for last; do :; done; cat ${places.sources}/*.c > "$last"`,
      );
  });
  afterEach(() => {
    process.env["PATH"] = path;
    fs.rmSync(directory, { recursive: true });
  });

  const writeSource = (text: string): void => fs.writeFileSync(join(places.sources, "main.c"), text);
  const compiler = (name: string, script: string): void =>
    fs.writeFileSync(join(directory, "bin", name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const compilations = (): number =>
    fs.existsSync(`${directory}/log`) ? fs.readFileSync(`${directory}/log`, "utf8").split("\n").length - 1 : 0;
  const content = (file: string): string => fs.readFileSync(file, "utf8");

  test("a given one is taken as it is", async () => {
    assert.equal(await findHelper("/some/helper", places), "/some/helper");
    assert.equal(compilations(), 0);
  });

  test("without a binary it is compiled once; changed sources make another", async () => {
    const first = await findHelper(undefined, places);
    assert.equal(await findHelper(undefined, places), first);
    assert.deepEqual([compilations(), content(first)], [1, "first"]);
    writeSource("second");
    const second = await findHelper(undefined, places);
    assert.notEqual(second, first);
    assert.deepEqual([compilations(), content(second)], [2, "second"]);
    assert.deepEqual(fs.readdirSync(places.cache).length, 2, "no temporary file is left");
  });

  test("a cached one that others could write is not run", async () => {
    const first = await findHelper(undefined, places);
    fs.chmodSync(first, 0o777);
    fs.writeFileSync(first, "evil");
    assert.equal(content(await findHelper(undefined, places)), "first");
  });

  test("a prebuilt one is taken while it is whole and of these sources", async () => {
    await writePrebuilt(places);
    assert.equal(await findHelper(undefined, places), places.prebuilt);
    fs.appendFileSync(places.prebuilt, "damage");
    assert.notEqual(await findHelper(undefined, places), places.prebuilt);
    await writePrebuilt(places);
    writeSource("newer");
    assert.notEqual(await findHelper(undefined, places), places.prebuilt);
    fs.rmSync(places.sources, { recursive: true });
    assert.equal(
      await findHelper(undefined, places),
      places.prebuilt,
      "without sources there is nothing to compare with",
    );
  });

  test("a compiler that fails makes way for the next", async () => {
    fs.writeFileSync(`${directory}/musl-gcc.broken`, "");
    assert.equal(content(await findHelper(undefined, places)), "first");
    assert.equal(compilations(), 2);
  });

  test("without any compiler one line says what to do, and why each failed", async () => {
    process.env["PATH"] = join(directory, "bin");
    fs.rmSync(join(directory, "bin/musl-gcc"));
    compiler("gcc", 'echo "x.c:1: error: no such header" >&2; exit 1');
    await assert.rejects(findHelper(undefined, places), {
      code: "unsupported",
      message:
        "tsbox has to compile its helper once and found no working C compiler: apt-get install gcc libc6-dev, or set " +
        "TSBOX_HELPER to a helper binary (musl-gcc: not found; gcc: x.c:1: error: no such header; cc: not found; clang: not found)",
    });
    assert.deepEqual(fs.readdirSync(places.cache), []);
  });
});
