import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
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

type Session = (host: string, directory: string) => void;

async function held(registry: RunningRegistry, session: Session): Promise<string[]> {
  const directory = mkdtempSync("/dev/shm/tsbox-client-");
  const recorder = await startRecorder(registry.host);
  try {
    session(recorder.host, directory);
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
