import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import test from "node:test";
import { compile, program, programs } from "./build.ts";

test("each program that is kept is what its digest says", async () => {
  for (const name of programs) assert.deepEqual([...(await program(name)).subarray(0, 4)], [0x00, 0x61, 0x73, 0x6d]);
});

/** The compiler that made them: another one makes other bytes. */
const compiler = "Debian clang version 14.0.6";
const found = spawnSync("clang", ["--version"], { encoding: "utf8" }).stdout?.split("\n")[0] ?? "";
const library = spawnSync("dpkg-query", ["-W", "-f=${Version}", "wasi-libc"], { encoding: "utf8" }).stdout ?? "";
const same = found.startsWith(compiler) && library.startsWith("0.0~git20220510");
const skip = same ? false : `they were made by ${compiler} with wasi-libc of 2022-05-10, which is not installed`;

test("compiling the sources again gives the same bytes", { skip }, async () => {
  for (const name of programs) assert.ok(Buffer.from(await compile(name)).equals(await program(name)), name);
});

test("other tools check the digests too", () => {
  execFileSync("sha256sum", ["--check", "--status", "SHA256SUMS"], { cwd: new URL("bin", import.meta.url).pathname });
});
