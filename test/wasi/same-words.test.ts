import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { scratch } from "../../backends/linux/testing/scratch.ts";
import { code, smallModule, unknownImport } from "../../backends/sim/wasm/testing/modules.ts";
import { run, wasmHost } from "../../backends/sim/wasm/testing/wasm-host.ts";
import { encodeText } from "../../core/base/bytes.ts";
import { program } from "../../images/wasi/build.ts";

// A program for WASI that goes wrong does so in the same words and with the same exit code in both worlds.

const runner = fileURLToPath(new URL("../../backends/linux/wasi-runner.js", import.meta.url));
const directory = scratch("same-words", tmpdir());
after(() => rmSync(directory, { recursive: true }));

interface Said {
  readonly code: number | null;
  readonly stderr: string;
}

async function simulated(bytes: Uint8Array): Promise<Said> {
  const { code: exit, stderr } = await run(wasmHost({ program: bytes }), ["program"]);
  return { code: exit, stderr };
}

function onLinux(bytes: Uint8Array): Said {
  writeFileSync(join(directory, "program"), bytes, { mode: 0o755 });
  const env = { PATH: directory };
  const { status, stderr } = spawnSync(process.execPath, ["--no-warnings", runner, "0", "program"], {
    encoding: "utf8",
    env,
    timeout: 60_000,
  });
  return { code: status, stderr };
}

const wrong: Readonly<Record<string, Uint8Array>> = {
  "is cut off": smallModule().subarray(0, 40),
  "is garbage behind its first bytes": encodeText("\0asm garbage"),
  "imports what nobody has": smallModule({ imports: ["env", "abort"] }),
  "imports what the interface has not": unknownImport,
  "is a library": smallModule({ exports: ["_initialize"] }),
  "comes to an unreachable instruction": smallModule({ start: code.unreachable }),
  "divides by zero": smallModule({ start: code.divideByZero }),
  "reads beyond its memory": smallModule({ start: code.loadBeyond }),
  "calls itself without end": smallModule({ start: code.recursion }),
  "calls what is no function": smallModule({ start: code.callUnknown }),
};

describe("a program for WASI that goes wrong", () => {
  for (const [what, bytes] of Object.entries(wrong))
    test(`ends the same in both worlds: it ${what}`, async () => {
      const said = await simulated(bytes);
      assert.deepEqual(onLinux(bytes), said);
      assert.match(said.stderr, /^program: (cannot run|trap): .+\n$/);
    });
});

test("the runner says what is not there, and what may not be executed", async () => {
  const path = join(directory, "plain");
  writeFileSync(path, await program("upper"), { mode: 0o644 });
  const said = (name: string): string => {
    const { status, stderr } = spawnSync(process.execPath, ["--no-warnings", runner, "0", name], { encoding: "utf8" });
    return `${status} ${stderr}`;
  };
  assert.equal(said("/nowhere"), "127 /nowhere: not found\n");
  if (process.getuid?.() !== 0) assert.equal(said(path), `126 ${path}: permission denied\n`);
});

test("nobody reading any more ends a program as SIGPIPE would", async () => {
  const path = join(directory, "writer");
  writeFileSync(path, await program("writer"), { mode: 0o755 });
  const script = '"$0" --no-warnings "$1" 0 "$2" -i 0 | head -1; echo "${PIPESTATUS[0]}"';
  const { stdout } = spawnSync("bash", ["-c", script, process.execPath, runner, path], { encoding: "utf8" });
  assert.equal(stdout, "line 1\n141\n");
});
