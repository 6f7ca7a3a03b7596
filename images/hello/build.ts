/**
 * Builds the `hello` image: one static program that tells what it sees of its own isolation.
 *
 * The result is a tar that is both an OCI image layout and what `docker load` takes. The image stands
 * in an index of its own, one manifest for each platform: wasi/wasm (images/wasi), and Linux on the
 * processor of the machine that builds it, when it has a C compiler. wasi/wasm stands first, so that a kernel that
 * runs both takes that. The same programs give the same bytes: times are fixed, and our own tar writer writes it.
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
import { program } from "../wasi/build.ts";

const run = promisify(execFile);
const self = fileURLToPath(import.meta.url);
const source = fileURLToPath(new URL("hello.c", import.meta.url));
const created = "2026-01-01T00:00:00Z";
const name = "hello:latest";
/** musl makes the smallest binary. */
const compilers = ["musl-gcc", "gcc", "cc", "clang"];
const flags = ["-Os", "-static", "-s", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wl,--build-id=none"];
const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** Writes the image's tar to `file`. */
export async function buildHello(file: string): Promise<void> {
  const blobs = new Map<Digest, Uint8Array>();
  const put = (mediaType: string, bytes: Uint8Array): Descriptor => {
    const digest = digestOf(linuxPorts.hasher, bytes);
    blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const images: Built[] = [];
  for (const { platform, bytes } of await programs()) {
    const layer = put(mediaTypes.layer, await readAll(tarOfChanges(files(bytes)), 64 * 1024 * 1024));
    const config = put(mediaTypes.config, configOf(platform, layer.digest));
    const manifest = put(mediaTypes.manifest, formatManifest({ config, layers: [layer] }));
    images.push({ manifest: { ...manifest, platform }, config, layer });
  }
  const index = put(mediaTypes.index, formatIndex(images.map(({ manifest }) => manifest)));
  const bytes = await readAll(writeTar(archive(blobs, index, images)), 128 * 1024 * 1024);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}.new`, bytes);
  await rename(`${file}.new`, file);
}

interface Platform {
  readonly architecture: string;
  readonly os: string;
}

/** One of the index's images. */
interface Built {
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  readonly layer: Descriptor;
}

async function programs(): Promise<{ platform: Platform; bytes: Uint8Array }[]> {
  const native = await compile();
  const platform = { architecture: architectures[process.arch] ?? process.arch, os: "linux" };
  return [
    { platform: { architecture: "wasm", os: "wasi" }, bytes: await program("hello") },
    ...(native === null ? [] : [{ platform, bytes: native }]),
  ];
}

/** null without a C compiler that makes static programs for Linux. */
async function compile(): Promise<Uint8Array | null> {
  const directory = await mkdtemp(join(tmpdir(), "tsbox-hello-"));
  const output = join(directory, "hello");
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

async function* files(bytes: Uint8Array): AsyncGenerator<Change, void, undefined> {
  const meta = { mode: 0o755, uid: 0, gid: 0, mtime: BigInt(Date.parse(created)) * 1_000_000n, xattrs: new Map() };
  yield { kind: "file", path: "hello" as TreePath, meta, size: bytes.length, content: streamOf(bytes) };
}

function configOf(platform: Platform, diffId: Digest): Uint8Array {
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

/** The layout, and manifest.json for those who know only that: they get the last image, Linux's where there is one. */
function archive(blobs: ReadonlyMap<Digest, Uint8Array>, index: Descriptor, images: readonly Built[]): TarItem[] {
  const blob = (digest: Digest): string => `blobs/sha256/${hexOf(digest)}`;
  const annotations = { [imageNameAnnotation]: `docker.io/library/${name}`, [refNameAnnotation]: name };
  const docker = images.slice(-1).map(({ config, layer }) => {
    return { Config: blob(config.digest), RepoTags: [name], Layers: [blob(layer.digest)] };
  });
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
