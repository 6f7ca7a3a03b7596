/** The helper's decoder against the encoder of wire.ts, and against noise, under the address sanitizer. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { encodeRequest, opcodes } from "../wire.ts";
import { everyOp, everyRequest } from "./samples.ts";

const compiler = ["gcc", "clang"].find((name) => spawnSync(name, ["--version"]).status === 0);
const rounds = 20_000;

test("accepts every request the encoder can make and survives mutations of them", {
  skip: compiler === undefined ? "needs gcc or clang" : false,
}, (context) => {
  const directory = mkdtempSync(join(tmpdir(), "tsbox-decoder-"));
  context.after(() => rmSync(directory, { recursive: true }));
  const program = join(directory, "fuzz");
  const sources = ["fuzz.c", "wire.c"].map((name) => join(import.meta.dirname, name));
  const flags = ["-std=gnu11", "-O1", "-g", "-DPLAIN", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
  execFileSync(compiler ?? "", [...flags, ...sources, "-o", program]);
  const seeds = everyRequest().map((request, index) => {
    const path = join(directory, String(index));
    writeFileSync(path, encodeRequest(index, request).subarray(4));
    return path;
  });
  const { status, stdout, stderr } = spawnSync(program, [String(rounds), ...seeds], { encoding: "utf8" });
  assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: "", stderr: "" });
});

test("the samples hold every kind of op", () => {
  const kinds = everyOp().map(({ op }) => op);
  assert.equal(new Set(kinds).size, Object.keys(opcodes).length);
});
