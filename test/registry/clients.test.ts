import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { scratch } from "../../backends/linux/testing/scratch.ts";
import { linuxPorts } from "../../backends/linux/ports.ts";
import { registryFetch } from "../../bin/registry-fetch.ts";
import { EventLog } from "../../core/engine/event-log.ts";
import { openImages } from "../../core/engine/images.ts";
import { registryOf } from "../../core/engine/registry.ts";
import { MemoryMachine } from "../../core/engine/testing/memory-machine.ts";
import { platformOf } from "../../core/image/platform.ts";
import { RegistryClient } from "../../core/image/registry/client.ts";
import { anonymous } from "../../core/image/registry/credentials.ts";
import { defaultRegistryConfig } from "../../core/image/registry/endpoints.ts";
import { busyboxOciTar, imagesMissing } from "../images/make.ts";
import { dockerRegistryMissing, type RunningRegistry, startDockerRegistry } from "./docker-registry.ts";
import { type Note, startRecorder, startTsboxRegistry } from "./tsbox-registry.ts";

// Other people's clients hold the same sessions with distribution's registry and with ours, and are
// answered the same, request for request.

const skip = imagesMissing() ?? dockerRegistryMissing() ?? false;

/** What was asked and answered, in an order that does not depend on which of two parallel requests was first. */
function sorted(notes: readonly Note[]): string[] {
  return notes.map((note) => JSON.stringify(note)).toSorted();
}

type Session = (host: string, directory: string) => void | Promise<void>;

async function held(registry: RunningRegistry, session: Session): Promise<string[]> {
  const directory = scratch("client");
  const recorder = await startRecorder(registry.host);
  try {
    await session(recorder.host, directory);
    return sorted(recorder.notes());
  } finally {
    await recorder.stop();
    await registry.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function compared(session: Session): Promise<void> {
  const theirs = await held(await startDockerRegistry(), session);
  const ours = await held(await startTsboxRegistry(), session);
  assert.ok(theirs.length > 5, `the client asked ${theirs.length} times`);
  assert.deepEqual(ours, theirs);
}

const skopeo = (...args: readonly string[]): void => {
  execFileSync("skopeo", ["--insecure-policy", ...args], { stdio: ["ignore", "ignore", "pipe"] });
};

test("skopeo is answered alike: push, push again, list, inspect, pull, copy within, delete", { skip }, async () => {
  const tar = await busyboxOciTar();
  await compared((host, directory) => {
    const image = `docker://${host}/team/busybox:1`;
    const plain = ["--dest-tls-verify=false"];
    skopeo("copy", ...plain, `oci-archive:${tar}`, image);
    skopeo("copy", ...plain, `oci-archive:${tar}`, image);
    skopeo("list-tags", "--tls-verify=false", `docker://${host}/team/busybox`);
    skopeo("inspect", "--tls-verify=false", image);
    skopeo("copy", "--src-tls-verify=false", image, `dir:${join(directory, "out")}`);
    skopeo("copy", "--src-tls-verify=false", ...plain, image, `docker://${host}/team/other:2`);
    skopeo("copy", ...plain, "--format=v2s2", `oci-archive:${tar}`, `docker://${host}/team/docker:1`);
    skopeo("delete", "--tls-verify=false", image);
  });
});

function podmanIn(directory: string): (...args: readonly string[]) => void {
  const storage = ["--root", join(directory, "root"), "--runroot", join(directory, "run"), "--storage-driver", "vfs"];
  return (...args) => {
    execFileSync("podman", [...storage, ...args], { stdio: ["ignore", "ignore", "pipe"] });
  };
}

test("podman is answered alike: push, pull, pull again", { skip }, async (t: TestContext) => {
  if (process.getuid?.() !== 0) return t.skip("podman's storage needs root");
  const tar = await busyboxOciTar();
  await compared((host, directory) => {
    const podman = podmanIn(directory);
    podman("load", "-q", "-i", tar);
    podman("push", "-q", "--tls-verify=false", "localhost/busybox:latest", `${host}/team/busybox:1`);
    podman("rmi", "-f", "localhost/busybox:latest");
    podman("pull", "-q", "--tls-verify=false", `${host}/team/busybox:1`);
    podman("pull", "-q", "--tls-verify=false", `${host}/team/busybox:1`);
    podman("rmi", "-f", `${host}/team/busybox:1`);
  });
});

test("tsbox is answered alike: pull, pull again, push elsewhere, list, delete", { skip }, async () => {
  const tar = await busyboxOciTar();
  await compared(async (host) => {
    skopeo("copy", "--dest-tls-verify=false", `oci-archive:${tar}`, `docker://${host}/team/busybox:1`);
    const { engine, client, images } = await engineInMemory();
    const asker = { credentials: anonymous, signal: null };
    const drain = async (transfers: AsyncIterable<unknown>): Promise<void> => {
      for await (const _ of transfers);
    };
    const pull = () => drain(engine.pull(`${host}/team/busybox:1`, { all: false, platform: null }, asker));
    await pull();
    await pull();
    await images.tag(`${host}/team/busybox:1`, `${host}/team/other:2`);
    await drain(engine.push(`${host}/team/other:2`, asker));
    await drain(engine.push(`${host}/team/other:2`, asker));
    await client.at(host, asker, async (connection) => {
      const repository = client.repository(connection, "team/other", "pull", "push", "delete");
      assert.deepEqual(await repository.tags(), ["2"]);
      assert.deepEqual(await client.catalog(connection), ["team/busybox", "team/other"]);
      const digest = (await repository.head("2"))?.digest;
      assert.ok(digest != null);
      await repository.deleteManifest(digest);
      assert.equal(await repository.head("2"), null);
    });
  });
});

/** The engine's dealings with registries, on a machine in memory. */
async function engineInMemory() {
  const { disk, layers } = new MemoryMachine();
  const images = await openImages({ disk, layers, ports: linuxPorts });
  const fetch = registryFetch({ environment: {}, certificates: [] });
  const events = new EventLog(linuxPorts.clock);
  const parts = { images, disk, ports: linuxPorts, platform: platformOf("amd64", undefined), events };
  return {
    images,
    engine: registryOf(parts, { fetch }),
    client: new RegistryClient({ ...linuxPorts, fetch }, defaultRegistryConfig),
  };
}
