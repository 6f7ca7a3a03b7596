/**
 * Builds the `hello` image: one static program that tells what it sees of its own isolation, for wasi/wasm (images/wasi) and,
 * when this machine has a C compiler, for Linux on its processor.
 *
 *     node images/hello/build.ts [FILE]      default: dist/images/hello.tar
 */
import { fileURLToPath } from "node:url";
import { type ImageParts, imageTar, native, wasi, writeWhole } from "../archive.ts";
import { nativeProgram } from "../native-program.ts";
import { program } from "../wasi/build.ts";

const self = fileURLToPath(import.meta.url);
const source = fileURLToPath(new URL("hello.c", import.meta.url));

/** What the image is made of, for all platforms that can be had here. */
export async function helloParts(): Promise<ImageParts> {
  const compiled = await nativeProgram(source);
  const images = [
    { platform: wasi, bytes: await program("hello") },
    ...(compiled === null ? [] : [{ platform: native, bytes: compiled }]),
  ];
  return {
    name: "hello:latest",
    config: { Env: ["PATH=/"], Cmd: ["/hello"], WorkingDir: "/" },
    createdBy: "images/hello/build.ts",
    images: images.map(({ platform, bytes }) => ({ platform, entries: [{ path: "hello", bytes, mode: 0o755 }] })),
  };
}

/** Writes the image's tar to `file`. */
export async function buildHello(file: string): Promise<void> {
  await writeWhole(file, await imageTar(await helloParts()));
}

if (process.argv[1] === self) {
  const file = process.argv[2] ?? fileURLToPath(new URL("../../dist/images/hello.tar", import.meta.url));
  await buildHello(file);
  process.stdout.write(`${file}\n`);
}
