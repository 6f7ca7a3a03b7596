import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createReadStream, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, release, tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { scratch } from "../../backends/linux/testing/scratch.ts";
import { linuxPorts } from "../../backends/linux/ports.ts";
import { decodeBytes, readAll, streamOf } from "../../core/base/bytes.ts";
import { openImages } from "../../core/engine/images.ts";
import { MemoryMachine } from "../../core/engine/testing/memory-machine.ts";
import { platformOf } from "../../core/image/platform.ts";
import { readTar } from "../../core/image/tar.ts";
import { buildHello } from "./build.ts";

const compiler = ["musl-gcc", "gcc", "cc", "clang"].some((name) => spawnSync(name, ["--version"]).status === 0);
const skip = compiler ? false : "no C compiler is installed";

async function inDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = scratch("hello-test", tmpdir());
  try {
    await work(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test("the hello image is the same bytes every time, and loads under its name", { skip }, () =>
  inDirectory(async (directory) => {
    const [one, other] = [join(directory, "one.tar"), join(directory, "other.tar")];
    await buildHello(one);
    await buildHello(other);
    assert.deepEqual(readFileSync(one), readFileSync(other));
    const { disk, layers } = new MemoryMachine();
    const images = await openImages({
      disk,
      layers,
      ports: linuxPorts,
      platform: platformOf(process.arch === "x64" ? "amd64" : process.arch, undefined),
      embedded: (name) => (name === "hello" ? createReadStream(one) : null),
    });
    const { names, defaults } = await images.resolve("hello");
    assert.deepEqual([names, defaults.cmd], [["hello:latest"], ["/hello"]]);
  }),
);

const noSkopeo = skip || (spawnSync("skopeo", ["--version"]).status === 0 ? false : "skopeo is not installed");

test("other tools find one image in it, in either of its formats", { skip: noSkopeo }, () =>
  inDirectory(async (directory) => {
    const tar = join(directory, "hello.tar");
    await buildHello(tar);
    const config = (transport: string): unknown =>
      JSON.parse(
        execFileSync("skopeo", ["--insecure-policy", "inspect", "--config", `${transport}:${tar}:hello:latest`], {
          encoding: "utf8",
        }),
      );
    assert.deepEqual(config("oci-archive"), config("docker-archive"));
  }),
);

const runner = fileURLToPath(new URL("../../backends/linux/wasi-runner.js", import.meta.url));
interface Kind {
  readonly what: string;
  readonly magic: string;
  readonly command: (program: string) => [string, ...string[]];
}

const kinds: readonly Kind[] = [
  { what: "for Linux", magic: "\x7fELF", command: (program) => [program] },
  { what: "for WASI", magic: "\0asm", command: (program) => [process.execPath, "--no-warnings", runner, "0", program] },
];
for (const { what, magic, command } of kinds)
  test(`its program ${what} tells what the kernel tells, a fact and a word about it on each line`, { skip }, () =>
    inDirectory(async (directory) => {
      const tar = join(directory, "hello.tar");
      await buildHello(tar);
      const program = join(directory, "hello");
      writeFileSync(program, await programOf(tar, magic), { mode: 0o755 });
      const [file, ...words] = command(program);
      const lines = execFileSync(file, words, { encoding: "utf8" }).split("\n");
      const facts = new Map(lines.flatMap((line) => factOf(line)));
      const namespace = (name: string): string =>
        execFileSync("readlink", [`/proc/self/ns/${name}`], { encoding: "utf8" }).trim();
      assert.deepEqual(
        ["hostname", "kernel", "uts ns", "network ns", "user"].map((name) => facts.get(name)),
        [hostname(), release(), namespace("uts"), namespace("net"), `${process.getuid?.()}:${process.getgid?.()}`],
      );
      assert.deepEqual(
        [...facts.keys()],
        [
          ...["hostname", "kernel", "pid", "processes", "user", "uid map", "root", "network", "cgroup"],
          ...["memory limit", "cpu limit", "pids limit", "capabilities", "seccomp", "no_new_privs"],
          ...["cgroup ns", "ipc ns", "mount ns", "network ns", "pid ns", "time ns", "user ns", "uts ns"],
        ],
      );
    }),
  );

/** The name stands in the first 15 columns, the value in the 32 behind them unless it is longer. */
function factOf(line: string): [name: string, value: string][] {
  const [, name, value] = /^(\S.{14}) (.{32}|\S+) \S/.exec(line) ?? [];
  return name === undefined || value === undefined ? [] : [[name.trim(), value.trim()]];
}

/** The only file of the only layer of that one of the images whose program begins so. */
async function programOf(tar: string, magic: string): Promise<Uint8Array> {
  for await (const { name, content } of readTar(createReadStream(tar), tar)) {
    const bytes = await readAll(content, 1 << 26);
    if (!name.startsWith("blobs/") || decodeBytes(bytes.subarray(0, 6)) !== "hello\0") continue;
    for await (const entry of readTar(streamOf(bytes), name)) {
      const program = await readAll(entry.content, 1 << 26);
      if (decodeBytes(program.subarray(0, 4)) === magic) return program;
    }
  }
  throw new Error("the image holds no such program");
}
