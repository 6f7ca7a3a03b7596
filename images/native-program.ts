/** Compiles a program in C for the machine this runs on. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
/** musl makes the smallest binary. */
const compilers = ["musl-gcc", "gcc", "cc", "clang"];
const flags = ["-Os", "-static", "-s", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wl,--build-id=none"];

/** null without a C compiler that makes static programs for Linux. */
export async function nativeProgram(source: string): Promise<Uint8Array | null> {
  const directory = await mkdtemp(join(tmpdir(), "tsbox-program-"));
  const output = join(directory, "program");
  try {
    for (const compiler of process.platform === "linux" ? compilers : []) {
      const made = await run(compiler, [...flags, "-o", output, source]).then(
        () => true,
        () => false,
      );
      if (made) return await readFile(output);
    }
    return null;
  } finally {
    await rm(directory, { recursive: true });
  }
}
