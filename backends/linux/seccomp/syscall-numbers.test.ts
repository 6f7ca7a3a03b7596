import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { architectures, numbersOf } from "./generate.ts";
import { syscallNumbers } from "./syscall-numbers.ts";

const hasHeaders =
  process.arch === "x64" &&
  spawnSync("gcc", ["-E", "-"], { input: "#include <asm/unistd_64.h>\n#include <asm-generic/unistd.h>\n" }).status ===
    0;

test("the system call numbers are those of the kernel's headers", {
  skip: hasHeaders ? false : "needs amd64, gcc and linux-libc-dev",
}, () => {
  for (const architecture of architectures) {
    const ours = syscallNumbers[architecture];
    const wrong = [...numbersOf(architecture)].filter(([number, name]) => ours.get(name) !== number);
    assert.deepEqual(wrong, [], architecture);
  }
});
