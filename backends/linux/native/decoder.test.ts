/** The helper's decoder against the encoder of wire/, and against noise, under the address sanitizer. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { scratch } from "../testing/scratch.ts";
import { encodeRequest } from "../wire/request.ts";
import { opcodes } from "../wire/ops.ts";
import { everyOp, everyRequest } from "./samples.ts";

const compiler = ["gcc", "clang"].find((name) => spawnSync(name, ["--version"]).status === 0);
const rounds = 20_000;

test("accepts every request the encoder can make and survives mutations of them", {
  skip: compiler === undefined ? "needs gcc or clang" : false,
}, (context) => {
  const directory = temporary(context);
  const program = join(directory, "fuzz");
  const sources = ["fuzz.c", "wire.c"].map((name) => join(import.meta.dirname, name));
  const flags = ["-std=gnu11", "-O1", "-g", "-DPLAIN", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
  execFileSync(compiler ?? "", [...flags, ...sources, "-o", program]);
  const { status, stdout, stderr } = spawnSync(program, [String(rounds), ...seedsIn(directory)], { encoding: "utf8" });
  assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: "", stderr: "" });
});

const cross = "aarch64-linux-gnu-gcc";
const emulator = "qemu-aarch64-static";
const absent = [cross, emulator].filter((name) => spawnSync(name, ["--version"]).status !== 0);

test("the helper is compiled for arm64 without a warning, starts there, and its decoder accepts every request", {
  skip: process.arch === "x64" && absent.length > 0 ? `needs ${absent.join(" and ")}` : process.arch !== "x64",
}, (context) => {
  const directory = temporary(context);
  const flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-static"];
  const all = readdirSync(import.meta.dirname).filter((name) => name.endsWith(".c") && name !== "fuzz.c");
  const at = (name: string): string => join(import.meta.dirname, name);
  execFileSync(cross, [...flags, ...all.map(at), "-o", join(directory, "helper")]);
  execFileSync(cross, [...flags, "-DPLAIN", at("fuzz.c"), at("wire.c"), "-o", join(directory, "fuzz")]);
  const started = spawnSync(emulator, [join(directory, "helper")], { encoding: "utf8" });
  assert.deepEqual([started.status, started.stderr], [2, "usage: tsbox-helper serve (started by tsboxd)\n"]);
  const decoded = spawnSync(emulator, [join(directory, "fuzz"), "200", ...seedsIn(directory)], { encoding: "utf8" });
  assert.deepEqual([decoded.status, decoded.stderr], [0, ""]);
});

function temporary(context: TestContext): string {
  const directory = scratch("decoder", tmpdir());
  context.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** A file for each kind of request, as the helper reads it. */
function seedsIn(directory: string): string[] {
  return everyRequest().map((request, index) => {
    const path = join(directory, String(index));
    writeFileSync(path, encodeRequest(index, request).subarray(4));
    return path;
  });
}

test("the samples hold every kind of op", () => {
  const kinds = everyOp().map(({ op }) => op);
  assert.equal(new Set(kinds).size, Object.keys(opcodes).length);
});
