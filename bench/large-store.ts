/**
 * A store of 10,000 images of ten layers each, none shared: how long the daemon takes to start over it, and to list it.
 * The documents are real; the layers are not there, as neither start nor list looks at them.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { linuxPorts } from "../backends/linux/ports.ts";
import { encodeText } from "../core/base/bytes.ts";
import { parseConfig } from "../core/image/config.ts";
import { type Descriptor, mediaTypes } from "../core/image/descriptor.ts";
import { type Digest, hexOf } from "../core/image/digest.ts";
import { formatIndex, imageNameAnnotation, layoutFile, refNameAnnotation } from "../core/image/index.ts";
import { formatManifest, parseManifest } from "../core/image/manifest.ts";
import { formatSummaries, summarise, type Summary } from "../core/image/summary.ts";
import { interleave } from "./interleave.ts";
import { judge, type Row } from "./row.ts";

const imageCount = 10_000;
const layersEach = 10;
const checkout = fileURLToPath(new URL("..", import.meta.url));

export async function* largeStoreRows(directory: string, rounds: number): AsyncGenerator<Row> {
  const data = join(directory, "large");
  makeStore(data);
  const starts: number[] = [];
  const lists: number[] = [];
  const once = async (): Promise<number> => {
    const { startedIn, listedIn } = await startAndList(directory, data);
    starts.push(startedIn);
    lists.push(listedIn);
    return startedIn;
  };
  await interleave([{ name: "tsbox", once }], rounds);
  const what = `${imageCount} images, ${imageCount * layersEach} layers`;
  yield row(`start of the daemon over ${what} (median)`, starts, 300);
  yield row(`GET /images/json of ${what} (median)`, lists, 50);
}

function row(name: string, samples: readonly number[], limit: number): Row {
  const median = samples.toSorted((one, other) => one - other)[Math.floor(samples.length / 2)] ?? Number.NaN;
  const measured = { bench: "images", row: name, unit: "ms" as const, ours: median, peers: { limit } };
  return judge(measured, { peer: "limit", atMost: 1 });
}

function makeStore(data: string): void {
  const image = join(data, "image");
  mkdirSync(join(image, "blobs/sha256"), { recursive: true });
  const put = (mediaType: string, bytes: Uint8Array): Descriptor => {
    const digest = sha256(bytes);
    writeFileSync(join(image, "blobs/sha256", hexOf(digest)), bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const summaries = new Map<Digest, Summary>();
  const entries: Descriptor[] = [];
  for (let number = 0; number < imageCount; number++) {
    const { descriptor, summary } = makeImage(number, put);
    summaries.set(descriptor.digest, summary);
    const name = `registry.example/team-${number % 100}/app-${number}:v1`;
    entries.push({ ...descriptor, annotations: { [imageNameAnnotation]: name, [refNameAnnotation]: name } });
  }
  writeFileSync(join(image, "oci-layout"), layoutFile);
  writeFileSync(join(image, "index.json"), formatIndex(entries));
  writeFileSync(join(image, "summaries.tsv"), formatSummaries(linuxPorts.hasher, summaries));
}

function makeImage(
  number: number,
  put: (mediaType: string, bytes: Uint8Array) => Descriptor,
): { descriptor: Descriptor; summary: Summary } {
  const layers = Array.from({ length: layersEach }, (_, layer): Descriptor => {
    const digest = sha256(encodeText(`layer ${number} ${layer}`));
    return { mediaType: mediaTypes.layer, digest, size: 1_000_000 };
  });
  const created = new Date(1_700_000_000_000 + number * 60_000).toISOString();
  const config = encodeText(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      created,
      config: { Cmd: ["sh"], Labels: { "org.opencontainers.image.title": `app ${number}` } },
      rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) },
    }),
  );
  const bytes = formatManifest({ config: put(mediaTypes.config, config), layers });
  const sizes = layers.map(() => 1_000_000);
  const summary = summarise(parseManifest(bytes, "manifest"), parseConfig(config, "config"), sizes);
  return { descriptor: put(mediaTypes.manifest, bytes), summary };
}

function sha256(bytes: Uint8Array): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}` as Digest;
}

async function startAndList(directory: string, data: string): Promise<{ startedIn: number; listedIn: number }> {
  const socket = join(directory, "large.sock");
  const args = ["--host", `unix://${socket}`, "--data-root", data, "--exec-root", join(directory, "large-run")];
  const env = { ...process.env };
  delete env["NODE_EXTRA_CA_CERTS"];
  const begun = performance.now();
  const daemon = spawn(join(checkout, "bin/tsboxd"), args, { stdio: ["ignore", "pipe", "inherit"], env });
  const ended = new Promise<void>((resolve) => daemon.once("exit", () => resolve()));
  await new Promise<void>((resolve) => createInterface(daemon.stdout).once("line", () => resolve()));
  const startedIn = performance.now() - begun;
  await listOnce(socket);
  const listing = performance.now();
  await listOnce(socket);
  const listedIn = performance.now() - listing;
  daemon.kill("SIGTERM");
  await ended;
  return { startedIn, listedIn };
}

/** Reads the whole answer. */
function listOnce(socketPath: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path: "/v1.50/images/json" }, (response) => {
      response.resume();
      response.once("end", () => (response.statusCode === 200 ? resolve() : reject(new Error("no list of images"))));
    });
    asked.once("error", reject);
    asked.end();
  });
}
