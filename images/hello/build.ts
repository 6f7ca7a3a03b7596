/**
 * Builds the `hello` image: one static program that tells what it sees of its own isolation.
 *
 * The result is a tar that is both an OCI image layout and what `docker load` takes. The image stands
 * in an index of its own, one manifest for each platform, so that others can join. The same program
 * gives the same bytes: times are fixed, and our own tar writer writes it.
 *
 *     node images/hello/build.ts [FILE]      default: dist/images/hello.tar
 */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { linuxPorts } from "../../backends/linux/ports.ts";
import { encodeText, readAll, streamOf } from "../../core/base/bytes.ts";
import { type Descriptor, mediaTypes } from "../../core/image/descriptor.ts";
import { type Digest, digestOf, hexOf } from "../../core/image/digest.ts";
import { formatIndex, imageNameAnnotation, layoutFile, refNameAnnotation } from "../../core/image/index.ts";
import { tarOfChanges } from "../../core/image/layer.ts";
import { formatManifest } from "../../core/image/manifest.ts";
import { type TarItem, writeTar } from "../../core/image/tar-write.ts";
import type { Change, TreePath } from "../../core/unionfs/change.ts";

const run = promisify(execFile);
const self = fileURLToPath(import.meta.url);
const source = fileURLToPath(new URL("hello.c", import.meta.url));
const created = "2026-01-01T00:00:00Z";
const name = "hello:latest";
/** musl makes the smallest binary. */
const compilers = ["musl-gcc", "gcc", "cc", "clang"];
const flags = ["-Os", "-static", "-s", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wl,--build-id=none"];
const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** Writes the image's tar to `file`. Throws when there is no C compiler. */
export async function buildHello(file: string): Promise<void> {
  const blobs = new Map<Digest, Uint8Array>();
  const put = (mediaType: string, bytes: Uint8Array): Descriptor => {
    const digest = digestOf(linuxPorts.hasher, bytes);
    blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const layer = put(mediaTypes.layer, await readAll(tarOfChanges(files(await compile())), 64 * 1024 * 1024));
  const platform = { architecture: architectures[process.arch] ?? process.arch, os: "linux" };
  const config = put(mediaTypes.config, configOf(platform, layer.digest));
  const manifest = put(mediaTypes.manifest, formatManifest({ config, layers: [layer] }));
  const index = put(mediaTypes.index, formatIndex([{ ...manifest, platform }]));
  const bytes = await readAll(writeTar(archive(blobs, index, config, layer)), 128 * 1024 * 1024);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}.new`, bytes);
  await rename(`${file}.new`, file);
}

async function compile(): Promise<Uint8Array> {
  const directory = await mkdtemp(join(tmpdir(), "tsbox-hello-"));
  const program = join(directory, "hello");
  const failures: string[] = [];
  try {
    for (const compiler of compilers) {
      try {
        await run(compiler, [...flags, "-o", program, source]);
        return await readFile(program);
      } catch (error) {
        failures.push(`${compiler}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  } finally {
    await rm(directory, { recursive: true });
  }
  throw new Error(`no C compiler could make the hello image (apt-get install gcc libc6-dev):\n${failures.join("\n")}`);
}

async function* files(program: Uint8Array): AsyncGenerator<Change, void, undefined> {
  const meta = { mode: 0o755, uid: 0, gid: 0, mtime: BigInt(Date.parse(created)) * 1_000_000n, xattrs: new Map() };
  yield { kind: "file", path: "hello" as TreePath, meta, size: program.length, content: streamOf(program) };
}

function configOf(platform: { readonly architecture: string; readonly os: string }, diffId: Digest): Uint8Array {
  return encodeText(
    JSON.stringify({
      ...platform,
      created,
      config: { Env: ["PATH=/"], Cmd: ["/hello"], WorkingDir: "/" },
      rootfs: { type: "layers", diff_ids: [diffId] },
      history: [{ created, created_by: "images/hello/build.ts" }],
    }),
  );
}

/** The layout, and manifest.json for those who know only that. */
function archive(
  blobs: ReadonlyMap<Digest, Uint8Array>,
  index: Descriptor,
  config: Descriptor,
  layer: Descriptor,
): TarItem[] {
  const blob = (digest: Digest): string => `blobs/sha256/${hexOf(digest)}`;
  const annotations = { [imageNameAnnotation]: `docker.io/library/${name}`, [refNameAnnotation]: name };
  const docker = [{ Config: blob(config.digest), RepoTags: [name], Layers: [blob(layer.digest)] }];
  return [
    item("oci-layout", layoutFile),
    item("index.json", formatIndex([{ ...index, annotations }])),
    item("manifest.json", encodeText(JSON.stringify(docker))),
    ...[...blobs].map(([digest, bytes]) => item(blob(digest), bytes)),
  ];
}

function item(path: string, bytes: Uint8Array): TarItem {
  return {
    kind: "file",
    name: path,
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: bytes.length,
    mtime: 0n,
    linkName: "",
    major: 0,
    minor: 0,
    xattrs: new Map(),
    content: streamOf(bytes),
  };
}

if (process.argv[1] === self) {
  const file = process.argv[2] ?? fileURLToPath(new URL("../../dist/images/hello.tar", import.meta.url));
  await buildHello(file);
  process.stdout.write(`${file}\n`);
}
