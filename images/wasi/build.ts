/**
 * Programs for WASI, in C: compiled once and kept in bin/ with their digests, so that nobody needs
 * clang to use them. With Debian's clang and wasi-libc the same sources give the same bytes, which a test holds them to.
 *
 *     node images/wasi/build.ts      compiles them all anew (apt-get install clang lld wasi-libc libclang-rt-dev-wasm32)
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** The sources of each program. hello reads what the kernel says of it and needs no directory. */
const sources: Readonly<Record<string, readonly string[]>> = {
  burn: ["burn.c", "directory.c"],
  cat: ["cat.c", "directory.c"],
  hello: ["../hello/hello.c"],
  hog: ["hog.c", "directory.c"],
  upper: ["upper.c", "directory.c"],
  writer: ["writer.c", "directory.c"],
};
const flags = ["--target=wasm32-wasi", "-Os", "-flto", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wl,--strip-all"];

export const programs: readonly string[] = Object.keys(sources);

/** A program as it is kept; throws when it is not what its digest says. */
export async function program(name: string): Promise<Uint8Array> {
  const bytes = await readFile(here(`bin/${name}.wasm`));
  const digests = await readFile(here("bin/SHA256SUMS"), "utf8");
  if (!digests.split("\n").includes(lineOf(name, bytes)))
    throw new Error(`images/wasi/bin/${name}.wasm is not what SHA256SUMS says: node images/wasi/build.ts`);
  return bytes;
}

/** Compiles a program. Throws when clang or its C library is missing. */
export async function compile(name: string): Promise<Uint8Array> {
  const directory = await mkdtemp(join(tmpdir(), "tsbox-wasi-"));
  try {
    const output = join(directory, `${name}.wasm`);
    await run("clang", [...flags, "-o", output, ...(sources[name] ?? []).map(here)]);
    return await readFile(output);
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** As sha256sum(1) writes and checks it. */
function lineOf(name: string, bytes: Uint8Array): string {
  return `${createHash("sha256").update(bytes).digest("hex")}  ${name}.wasm`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await mkdir(here("bin"), { recursive: true });
  const lines: string[] = [];
  for (const name of programs) {
    const bytes = await compile(name);
    await writeFile(here(`bin/${name}.wasm`), bytes);
    lines.push(lineOf(name, bytes));
  }
  await writeFile(here("bin/SHA256SUMS"), `${lines.join("\n")}\n`);
  process.stdout.write(`${lines.join("\n")}\n`);
}
