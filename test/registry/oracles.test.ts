import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { scratch } from "../../backends/linux/testing/scratch.ts";
import { dockerdMissing, type Dockerd, startDockerd } from "../docker-cli/dockerd.ts";
import { busyboxOciTar, busyboxTar, imagesMissing } from "../images/make.ts";
import { dockerRegistryMissing, freePort, type RunningRegistry, startDockerRegistry } from "./docker-registry.ts";
import { passwords } from "./sessions.ts";
import { startRecorder, startTsboxRegistry } from "./tsbox-registry.ts";

// Everybody reads what everybody wrote: tsbox, dockerd, podman and skopeo pull from one registry what another pushed to
// it, by the same digests, whether the registry is distribution's or ours. All run in dockerd's own network.

const skip = dockerdMissing() ?? imagesMissing() ?? dockerRegistryMissing() ?? false;

interface Site {
  readonly dockerd: Dockerd;
  readonly directory: string;
  readonly tsboxd: string;
  readonly stop: () => Promise<void>;
}

let site: Site;

before(async () => {
  if (skip === false) site = await open();
});
after(async () => {
  if (skip === false) await site.stop();
});

async function open(): Promise<Site> {
  const dockerd = await startDockerd();
  const directory = scratch("oracles");
  mkdirSync(join(directory, "config"));
  writeFileSync(join(directory, "config/config.json"), "{}");
  const tsboxd = `unix://${directory}/s`;
  const script = fileURLToPath(new URL("../../bin/tsboxd.ts", import.meta.url));
  const roots = ["--host", tsboxd, "--data-root", join(directory, "data"), "--exec-root", join(directory, "run")];
  const [program = "", ...args] = [...dockerd.within, process.execPath, script, ...roots];
  const daemon = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<void>((resolve) => daemon.once("exit", () => resolve()));
  await new Promise<void>((resolve) => createInterface(daemon.stdout).once("line", () => resolve()));
  const stop = async (): Promise<void> => {
    daemon.kill("SIGTERM");
    await ended;
    await dockerd.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  return { dockerd, directory, tsboxd, stop };
}

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** In the network where the registries are; `DOCKER_CONFIG` is the test's own. */
function attempt(program: string, ...args: readonly string[]): Outcome {
  const [first = program, ...rest] = [...site.dockerd.within, program, ...args];
  const env = { ...process.env, DOCKER_CONFIG: join(site.directory, "config") };
  return spawnSync(first, rest, { encoding: "utf8", env });
}

function run(program: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = attempt(program, ...args);
  assert.equal(status, 0, `${program} ${args.join(" ")}: ${stdout}${stderr}`);
  return stdout.trim();
}

const docker = (...args: readonly string[]): string => run("docker", "-H", site.dockerd.host, ...args);
const tsbox = (...args: readonly string[]): string => run("docker", "-H", site.tsboxd, ...args);
const skopeo = (...args: readonly string[]): string => run("skopeo", "--insecure-policy", ...args);
const podman = (...args: readonly string[]): string => {
  const storage = ["--root", join(site.directory, "podman"), "--runroot", join(site.directory, "run")];
  return run("podman", ...storage, "--storage-driver", "vfs", ...args);
};

type Client = (...args: readonly string[]) => string;

const idOf = (client: Client, image: string): string => client("image", "inspect", "--format", "{{.Id}}", image);
const atRegistry = (image: string): string =>
  skopeo("inspect", "--tls-verify=false", "--format", "{{.Digest}}", `docker://${image}`);
/** With or without "sha256:", as podman leaves it out. */
const bare = (digest: string): string => digest.replace(/^sha256:/, "");

type Start = (options: { within: readonly string[] }) => Promise<RunningRegistry>;

async function withRegistries(
  work: (registry: RunningRegistry) => Promise<void>,
  starts: readonly Start[] = [startDockerRegistry, startTsboxRegistry],
): Promise<void> {
  const { within } = site.dockerd;
  for (const start of starts) {
    const registry = await start({ within });
    try {
      await answers(registry.host);
      await work(registry);
    } finally {
      await registry.stop();
    }
  }
}

/** Distribution's server does not say when it listens. */
async function answers(host: string): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if (attempt("bash", "-c", `exec 3<>/dev/tcp/${host.replace(":", "/")}`).status === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nobody answers on ${host}`);
}

test("what tsbox pushed is pulled by dockerd, podman and skopeo, by the same digests", { skip }, async () => {
  tsbox("load", "-q", "-i", await busyboxTar());
  await withRegistries(async ({ host }) => {
    const image = `${host}/tsbox/busybox:1`;
    tsbox("tag", "busybox:latest", image);
    const pushed = /digest: (sha256:\w+)/.exec(tsbox("push", image))?.[1];
    const id = idOf(tsbox, image);
    assert.equal(atRegistry(image), pushed);
    docker("pull", "-q", image);
    assert.equal(idOf(docker, image), id);
    assert.equal(docker("run", "--rm", "--network", "none", image, "echo", "it runs"), "it runs");
    podman("pull", "-q", "--tls-verify=false", image);
    assert.equal(bare(idOf(podman, image)), bare(id));
    docker("rmi", image);
    podman("rmi", image);
  });
});

/** An image of two layers in dockerd, "layers:latest". */
function makeLayers(busybox: string): void {
  docker("load", "-q", "-i", busybox);
  docker("run", "--name", "made", "--network", "none", "busybox", "sh", "-c", "rm /bin/vi; echo new >/etc/new");
  docker("commit", "made", "layers:latest");
  docker("rm", "made");
}

test("what dockerd, podman and skopeo pushed is pulled by tsbox, and goes on as it is", { skip }, async () => {
  const oci = await busyboxOciTar();
  makeLayers(await busyboxTar());
  podman("load", "-q", "-i", oci);
  await withRegistries(async ({ host }) => {
    const pushers: Record<string, (image: string) => string> = {
      dockerd: (image) => {
        docker("tag", "layers:latest", image);
        docker("push", "-q", image);
        return idOf(docker, image);
      },
      podman: (image) => {
        podman("push", "-q", "--tls-verify=false", "localhost/busybox:latest", image);
        return "";
      },
      skopeo: (image) => {
        skopeo("copy", "-q", "--dest-tls-verify=false", `oci-archive:${oci}`, `docker://${image}`);
        return "";
      },
    };
    for (const [pusher, push] of Object.entries(pushers)) {
      const image = `${host}/${pusher}/image:1`;
      const id = push(image);
      tsbox("pull", "-q", image);
      if (id !== "") assert.equal(idOf(tsbox, image), id, pusher);
      const digest = atRegistry(image);
      assert.match(tsbox("image", "inspect", "--format", "{{.RepoDigests}}", image), new RegExp(digest), pusher);
      const onward = `${host}/onward/${pusher}:1`;
      tsbox("tag", image, onward);
      tsbox("push", "-q", onward);
      assert.equal(atRegistry(onward), digest, pusher);
      tsbox("rmi", image, onward);
    }
  });
});

/**
 * What differs by nature: which layer was first; dockerd pushes a manifest of its own making, tsbox the one it has; what
 * dockerd remembers of earlier pushes decides whether it looks for a layer first; and it drops what is over at once.
 */
function inAnyOrder(text: string): string[] {
  const lines = text.trim().split("\n");
  const masked = lines.map((line) =>
    line
      .replace(/digest: sha256:\w+ size: \d+/, "digest: DIGEST")
      .replace(/: (Pushed|Layer already exists)$/, ": there"),
  );
  return masked.filter((line) => !line.endsWith(": Verifying Checksum")).toSorted();
}

test("the stock client reads the same of tsbox as of dockerd", { skip }, async () => {
  const oci = await busyboxOciTar();
  await withRegistries(async ({ host }) => {
    skopeo("copy", "-q", "--dest-tls-verify=false", `oci-archive:${oci}`, `docker://${host}/team/app:1`);
    const told = (daemon: string): unknown[] => {
      const say = (...args: readonly string[]): unknown => {
        const { status, stdout, stderr } = attempt("docker", "-H", daemon, ...args);
        return { status, stdout: inAnyOrder(stdout), stderr: stderr.trim() };
      };
      return [
        say("pull", `${host}/team/app:1`),
        say("pull", `${host}/team/app:1`),
        say("pull", `${host}/team/app:none`),
        say("pull", `${host}/team/none`),
        say("tag", `${host}/team/app:1`, `${host}/team/app:2`),
        say("push", `${host}/team/app:2`),
        say("push", `${host}/team/app:none`),
        say("push", `${host}/nothing/here:1`),
        say("login", "-u", "maria", "--password-stdin", host),
      ];
    };
    for (const client of [docker, tsbox]) client("rmi", "-f", ...client("images", "-q").split("\n").filter(Boolean));
    assert.deepEqual(told(site.tsboxd), told(site.dockerd.host));
  });
});

test("our command line says what docker's says", { skip }, async () => {
  const oci = await busyboxOciTar();
  const script = fileURLToPath(new URL("../../bin/tsbox.ts", import.meta.url));
  await withRegistries(async ({ host }) => {
    skopeo("copy", "-q", "--dest-tls-verify=false", `oci-archive:${oci}`, `docker://${host}/team/app:1`);
    const told = (client: readonly [string, ...string[]]): unknown[] => {
      const say = (...args: readonly string[]): unknown => {
        const { status, stdout, stderr } = attempt(client[0], ...client.slice(1), ...args);
        return { args, status, stdout: inAnyOrder(stdout), stderr: stderr.trim() };
      };
      const all = [
        say("pull", `${host}/team/app:1`),
        say("pull", `${host}/team/app:1`),
        say("pull", "-q", `${host}/team/app:1`),
        say("pull", "-a", `${host}/team/app`),
        say("pull", `${host}/team/none`),
        say("tag", `${host}/team/app:1`, `${host}/team/app:2`),
        say("push", `${host}/team/app:2`),
        say("push", "-q", `${host}/team/app:2`),
        say("push", `${host}/team/app:none`),
        say("push", "-a", `${host}/team/app`),
        say("login", "-u", "maria", "-p", "secret", host),
        say("login", "-u", "maria", host),
        say("logout", host),
        say("logout", host),
        say("search", "--limit", "101", `${host}/app`),
      ];
      tsbox("rmi", `${host}/team/app:1`, `${host}/team/app:2`);
      skopeo("delete", "--tls-verify=false", `docker://${host}/team/app:2`);
      skopeo("copy", "-q", "--dest-tls-verify=false", `oci-archive:${oci}`, `docker://${host}/team/app:1`);
      return all;
    };
    const docker = told(["docker", "-H", site.tsboxd]);
    assert.deepEqual(told([process.execPath, script, "-H", site.tsboxd]), docker);
  });
});

test("dockerd is answered alike by distribution's registry and by ours", { skip }, async () => {
  makeLayers(await busyboxTar());
  const archive = join(site.directory, "layers.tar");
  docker("save", "-o", archive, "layers:latest");
  const port = await freePort();
  const notes: string[][] = [];
  // What dockerd remembers of a first round makes it ask less in the later ones, which are compared.
  await withRegistries(
    async ({ host }) => {
      const recorder = await startRecorder(host, { within: site.dockerd.within, port });
      try {
        const image = `${recorder.host}/team/layers:1`;
        docker("tag", "layers:latest", image);
        docker("push", "-q", image);
        docker("push", "-q", image);
        docker("rmi", image, "layers:latest");
        docker("pull", "-q", image);
        docker("pull", "-q", image);
        docker("rmi", image);
        docker("load", "-q", "-i", archive);
        notes.push(
          recorder
            .notes()
            .map((note) => JSON.stringify(note))
            .toSorted(),
        );
      } finally {
        await recorder.stop();
      }
    },
    [startDockerRegistry, startTsboxRegistry, startDockerRegistry],
  );
  const [, ours = [], theirs = []] = notes;
  assert.ok(theirs.length > 10);
  assert.deepEqual(ours, theirs);
});

test("a login opens a registry that asks for passwords, and is forgotten at logout", { skip }, async () => {
  const { within } = site.dockerd;
  const auth = ["htpasswd: { realm: tsbox registry, path: DIR/htpasswd }"];
  const registry = await startDockerRegistry({ within, auth, files: { htpasswd: passwords } });
  try {
    await answers(registry.host);
    const { host } = registry;
    tsbox("load", "-q", "-i", await busyboxTar());
    const image = `${host}/private/busybox:1`;
    tsbox("tag", "busybox:latest", image);
    assert.match(attempt("docker", "-H", site.tsboxd, "push", image).stderr, /no basic auth credentials|unauthorized/);
    const wrong = attempt("docker", "-H", site.tsboxd, "login", "-u", "maria", "-p", "wrong", host);
    assert.match(wrong.stderr, /login attempt to http:\/\/\S+\/v2\/ failed with status: 401 Unauthorized/);
    assert.match(tsbox("login", "-u", "maria", "-p", "secret", host), /Login Succeeded/);
    tsbox("push", "-q", image);
    tsbox("rmi", image);
    tsbox("pull", "-q", image);
    tsbox("logout", host);
    const denied = attempt("docker", "-H", site.tsboxd, "pull", image);
    assert.equal(denied.status, 1);
    assert.match(denied.stderr, /pull access denied for \S+, repository does not exist or may require 'docker login'/);
  } finally {
    await registry.stop();
  }
});
