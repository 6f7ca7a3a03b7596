import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import test, { type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { scratch } from "../../backends/linux/testing/scratch.ts";
import { registryFetch } from "../../bin/registry-fetch.ts";
import { linuxPorts } from "../../backends/linux/ports.ts";
import { EventLog } from "../../core/engine/event-log.ts";
import { openImages } from "../../core/engine/images.ts";
import { registryOf } from "../../core/engine/registry.ts";
import { MemoryMachine } from "../../core/engine/testing/memory-machine.ts";
import { platformOf } from "../../core/image/platform.ts";
import { anonymous } from "../../core/image/registry/credentials.ts";
import { directory, entry, tarOf } from "../images/forge.ts";
import { digestOfBytes } from "./in-memory.ts";
import { type Fault, type FaultyProxy, startFaulty } from "./faulty.ts";
import { startTsboxRegistry } from "./tsbox-registry.ts";
import type { RunningRegistry } from "./docker-registry.ts";

// Between a client and a registry everything goes wrong that can: connections are cut at every kind of place, answers
// dawdle or lie, the disk fills up, the daemon is killed. The store stays valid, and the next try gets the image.

const isRoot = process.getuid?.() === 0;

/** An image whose layers do not compress, pushed as team/app:1; returns its id. */
async function stocked(registry: RunningRegistry, layers: number, layerBytes: number): Promise<string> {
  const layout = join(registry.directory, "layout");
  mkdirSync(join(layout, "blobs/sha256"), { recursive: true });
  const put = (bytes: Uint8Array, mediaType: string) => {
    const digest = digestOfBytes(bytes);
    writeFileSync(join(layout, "blobs/sha256", digest.slice(7)), bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const oci = (name: string): string => `application/vnd.oci.image.${name}`;
  const tars = await Promise.all(
    Array.from({ length: layers }, (_, at) =>
      tarOf(directory(`dir${at}`), entry(`dir${at}/noise`, new Uint8Array(randomBytes(layerBytes)))),
    ),
  );
  const rootfs = { type: "layers", diff_ids: tars.map(digestOfBytes) };
  const config = put(
    Buffer.from(JSON.stringify({ architecture: "amd64", os: "linux", rootfs })),
    oci("config.v1+json"),
  );
  const manifest = {
    schemaVersion: 2,
    mediaType: oci("manifest.v1+json"),
    config,
    layers: tars.map((tar) => put(gzipSync(tar, { level: 1 }), oci("layer.v1.tar+gzip"))),
  };
  const descriptor = put(Buffer.from(JSON.stringify(manifest)), manifest.mediaType);
  writeFileSync(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(layout, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [descriptor] }));
  const target = `docker://${registry.host}/team/app:1`;
  execFileSync("skopeo", ["--insecure-policy", "copy", "-q", "--dest-tls-verify=false", `oci:${layout}`, target]);
  return config.digest;
}

const hasSkopeo = spawnSync("skopeo", ["--version"]).status === 0;
const skip = hasSkopeo ? false : "skopeo is not installed";

async function withFaults(t: TestContext, work: (proxy: FaultyProxy, id: string) => Promise<void>): Promise<void> {
  const registry = await startTsboxRegistry();
  t.after(() => registry.stop());
  const id = await stocked(registry, 2, 300_000);
  const proxy = await startFaulty(registry.host);
  t.after(() => proxy.stop());
  await work(proxy, id);
}

/** A fresh engine on a machine in memory, over the real network. */
async function puller() {
  const machine = new MemoryMachine();
  const { disk, layers } = machine;
  const images = await openImages({ disk, layers, ports: linuxPorts });
  // What waits in the client waits a hundredth of it.
  const clock = { now: () => linuxPorts.clock.now(), sleep: (ms: number) => linuxPorts.clock.sleep(ms / 100) };
  const parts = {
    images,
    disk,
    ports: { ...linuxPorts, clock },
    platform: platformOf("amd64", undefined),
    events: new EventLog(clock),
  };
  const registry = registryOf(parts, { fetch: registryFetch({ environment: {}, certificates: [], idleMs: 2000 }) });
  const pull = async (name: string): Promise<string> => {
    const asker = { credentials: anonymous, signal: null };
    for await (const _ of registry.pull(name, { all: false, platform: null }, asker));
    return (await images.get(name)).id;
  };
  return { machine, images, pull };
}

test("a connection may be cut anywhere in an answer's head or body", { skip }, async (t) => {
  await withFaults(t, async (proxy, id) => {
    const places = [
      ...[0, 1, 12, 60].map((after) => ({ part: "head" as const, after })),
      ...[0, 1, 1000, 65_536, 200_000].map((after) => ({ part: "body" as const, after })),
    ];
    for (const concerns of [/GET \S+\/blobs\//, /GET \S+\/manifests\//])
      for (const place of places)
        for (const reset of [false, true]) {
          const fault: Fault = { concerns, times: 1, cut: { ...place, reset } };
          proxy.fault = fault;
          assert.equal(await (await puller()).pull(`${proxy.host}/team/app:1`), id, JSON.stringify(fault.cut));
        }
  });
});

test("an answer that is cut every time ends in an error that says so, and the next pull goes on", {
  skip,
}, async (t) => {
  await withFaults(t, async (proxy, id) => {
    proxy.fault = { concerns: /GET \S+\/blobs\//, cut: { part: "head", after: 5, reset: false } };
    const { pull, images } = await puller();
    await assert.rejects(pull(`${proxy.host}/team/app:1`), /cannot reach 127\.0\.0\.1:\d+: the connection broke/);
    assert.deepEqual(await images.list(), []);
    proxy.fault = null;
    assert.equal(await pull(`${proxy.host}/team/app:1`), id);
  });
});

test("answers of a server in trouble are waited out, and told when they do not end", { skip }, async (t) => {
  await withFaults(t, async (proxy, id) => {
    const instead = (status: string, more = ""): string => `HTTP/1.1 ${status}\r\n${more}Content-Length: 0\r\n\r\n`;
    for (const answer of [
      instead("500 Internal Server Error"),
      instead("429 Too Many Requests", "Retry-After: 1\r\n"),
    ]) {
      proxy.fault = { concerns: /GET/, times: 2, instead: answer };
      assert.equal(await (await puller()).pull(`${proxy.host}/team/app:1`), id);
    }
    proxy.fault = { concerns: /GET/, instead: instead("401 Unauthorized", 'WWW-Authenticate: Basic realm="x"\r\n') };
    proxy.requests.length = 0;
    await assert.rejects((await puller()).pull(`${proxy.host}/team/app:1`), /pull access denied/);
    assert.ok(proxy.requests.length <= 2, `${proxy.requests.length} requests`);
  });
});

test("an answer may come in crumbs", { skip }, async (t) => {
  await withFaults(t, async (proxy, id) => {
    proxy.fault = { concerns: /GET/, pieces: 7 };
    assert.equal(await (await puller()).pull(`${proxy.host}/team/app:1`), id);
  });
});

interface Daemon {
  readonly host: string;
  readonly data: string;
  start(): Promise<void>;
  kill(signal: NodeJS.Signals): Promise<void>;
}

/** tsboxd from the sources, on a data root that outlives it. */
function daemonOn(root: string): Daemon {
  const host = `unix://${root}/s`;
  const data = join(root, "data");
  const script = fileURLToPath(new URL("../../bin/tsboxd.ts", import.meta.url));
  let kill: Daemon["kill"] = async () => {};
  const start = async (): Promise<void> => {
    const args = [script, "--host", host, "--data-root", data, "--exec-root", join(root, "run")];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    await Promise.race([
      new Promise<void>((resolve) => createInterface(child.stdout).once("line", () => resolve())),
      ended.then(() => Promise.reject(new Error("tsboxd ended before it listened"))),
    ]);
    kill = async (signal) => {
      child.kill(signal);
      await ended;
    };
  };
  return { host, data, start, kill: (signal) => kill(signal) };
}

function docker({ host }: Daemon, ...args: readonly string[]) {
  return spawnSync("docker", ["-H", host, ...args], { encoding: "utf8" });
}

/** Every blob is what its name says, and an image's layout opens. */
function checkStore({ data }: Daemon): void {
  const blobs = join(data, "image/blobs/sha256");
  for (const name of readdirSync(blobs)) {
    assert.equal(digestOfBytes(readFileSync(join(blobs, name))), `sha256:${name}`);
  }
}

const noDocker = spawnSync("docker", ["--version"]).status === 0 ? false : "the docker client is not installed";

test("a daemon that is killed at any moment of a pull leaves a store that works", {
  skip: skip || noDocker || !isRoot,
}, async (t) => {
  const rounds = process.execArgv.some((argument) => argument.includes("long.ts")) ? 200 : 6;
  const root = scratch("kill");
  const registry = await startTsboxRegistry();
  const daemon = daemonOn(root);
  t.after(async () => {
    await daemon.kill("SIGTERM");
    await registry.stop();
    rmSync(root, { recursive: true, force: true });
  });
  const id = await stocked(registry, 4, 3_000_000);
  const image = `${registry.host}/team/app:1`;
  for (let round = 0; round < rounds; round++) {
    await daemon.start();
    checkStore(daemon);
    const { stdout } = docker(daemon, "images", "-q", "--no-trunc");
    assert.ok(["", id].includes(stdout.trim()), stdout);
    if (stdout.trim() !== "") assert.equal(docker(daemon, "rmi", image).status, 0);
    const pulling = spawn("docker", ["-H", daemon.host, "pull", "-q", image], { stdio: "ignore" });
    const over = new Promise((resolve) => pulling.once("exit", resolve));
    // Spread over the time that a pull takes.
    await sleep((round * 97) % 500);
    await daemon.kill("SIGKILL");
    await over;
  }
  await daemon.start();
  const last = docker(daemon, "pull", "-q", image);
  assert.equal(last.status, 0, last.stderr);
  assert.equal(docker(daemon, "image", "inspect", "--format", "{{.Id}}", image).stdout.trim(), id);
  checkStore(daemon);
  assert.equal(docker(daemon, "rmi", image).status, 0);
  assert.deepEqual(readdirSync(join(daemon.data, "image/blobs/sha256")), [], "nothing is left");
  assert.deepEqual(readdirSync(join(daemon.data, "image/ingest")), []);
});

test("a disk that is full ends a pull in words, and with room it goes on", {
  skip: skip || noDocker || !isRoot,
}, async (t) => {
  const root = scratch("full");
  const small = join(root, "small");
  mkdirSync(small);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=6m", "tsbox-full", small]);
  const registry = await startTsboxRegistry();
  const daemon = daemonOn(small);
  t.after(async () => {
    await daemon.kill("SIGTERM");
    await registry.stop();
    execFileSync("umount", [small]);
    rmSync(root, { recursive: true, force: true });
  });
  const id = await stocked(registry, 3, 2_000_000);
  const image = `${registry.host}/team/app:1`;
  await daemon.start();
  const full = docker(daemon, "pull", image);
  assert.equal(full.status, 1);
  assert.match(full.stderr, /no space left on device|ENOSPC/i);
  checkStore(daemon);
  execFileSync("mount", ["-o", "remount,size=64m", small]);
  const again = docker(daemon, "pull", "-q", image);
  assert.equal(again.status, 0, again.stderr);
  assert.equal(docker(daemon, "image", "inspect", "--format", "{{.Id}}", image).stdout.trim(), id);
});
