/**
 * Real images, made by real tools: GNU tar packs a tree, umoci makes layers and configurations of it,
 * skopeo writes the archive. Nothing of tsbox takes part, so what these tools say of the images (the
 * digests above all) is what tsbox must find in them.
 *
 * An image is made once and kept in a cache directory, $TSBOX_TEST_CACHE or one beneath the system's
 * temporary directory; its name holds a digest of this file, so a changed recipe makes new images.
 *
 *     node test/images/make.ts [busybox|busybox-oci|busybox-layers|debian …]      prints their paths
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { chmod, cp, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const self = fileURLToPath(import.meta.url);
const epoch = "2024-01-01T00:00:00Z";
const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Programs each image is made with, and the Debian package that brings them. */
const packages: Readonly<Record<string, string>> = {
  busybox: "busybox-static",
  tar: "tar",
  umoci: "umoci",
  skopeo: "skopeo",
  mmdebstrap: "mmdebstrap",
};

/** A docker-archive (`docker save`) of one layer, named busybox:latest. */
export async function busyboxTar(): Promise<string> {
  return made("busybox.tar", async (work, out) => {
    await copy(await busyboxLayout(work), `docker-archive:${out}:busybox:latest`);
  });
}

/** The same image as an archive of an OCI image layout; the layer is gzip. */
export async function busyboxOciTar(): Promise<string> {
  return made("busybox-oci.tar", async (work, out) => {
    await copy(await busyboxLayout(work), `oci-archive:${out}:busybox:latest`);
  });
}

/**
 * busybox-layers:latest, whose upper layers hide things of the lowest: /etc/hidden is whited out, /etc/opaque holds
 * only "new", /etc/replaced is a directory that became a file, /data/kept is there.
 */
export async function busyboxLayersTar(): Promise<string> {
  return made("busybox-layers.tar", async (work, out) => {
    const layout = await busyboxLayout(work);
    const bundle = join(work, "bundle");
    const root = join(bundle, "rootfs");
    const layer = async (change: () => Promise<void>): Promise<void> => {
      await run("umoci", ["unpack", "--image", layout, bundle]);
      await change();
      await run("umoci", ["repack", "--image", layout, bundle]);
      await rm(bundle, { recursive: true });
    };
    await layer(async () => {
      await mkdir(join(root, "etc/opaque"));
      await mkdir(join(root, "etc/replaced"));
      await mkdir(join(root, "data"));
      for (const name of ["etc/hidden", "etc/opaque/old", "etc/replaced/inside", "data/kept"])
        await writeFile(join(root, name), `${name}\n`);
    });
    await layer(async () => {
      await rm(join(root, "etc/hidden"));
      await rm(join(root, "etc/replaced"), { recursive: true });
      await writeFile(join(root, "etc/replaced"), "a file now\n");
    });
    const fresh = join(work, "opaque");
    await mkdir(fresh);
    await writeFile(join(fresh, "new"), "new\n");
    await run("umoci", ["insert", "--image", layout, "--opaque", fresh, "/etc/opaque"]);
    await copy(layout, `docker-archive:${out}:busybox-layers:latest`);
  });
}

/** debian:latest, a minimal Debian of this machine's release: one layer of about 170 MB. Needs Debian's mirror. */
export async function debianTar(): Promise<string> {
  return made("debian.tar", async (work, out) => {
    const release = /^VERSION_CODENAME=(.*)$/m.exec(await readFile("/etc/os-release", "utf8"))?.[1] ?? "stable";
    const tar = join(work, "debian.tar");
    await run("mmdebstrap", ["--variant=minbase", release, tar], { maxBuffer: 1 << 26 });
    const layout = await layoutOf(work, tar, "debian", ["--config.cmd", "bash"]);
    await rm(tar);
    await copy(layout, `docker-archive:${out}:debian:latest`);
  });
}

/** What keeps the images from being made here; null when nothing does. A test skips with it. */
export function imagesMissing(...programs: readonly string[]): string | null {
  const needed = programs.length === 0 ? ["busybox", "tar", "umoci", "skopeo"] : programs;
  const missing = needed.filter((program) => !installed(program));
  if (missing.length === 0) return null;
  return `not installed: ${missing.map((program) => packages[program] ?? program).join(", ")}`;
}

/** Whether the image is in the cache: one that takes a network and a minute is not made for a test alone. */
export function isMade(name: string): boolean {
  return existsSync(join(cacheDirectory(), name));
}

function installed(program: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((directory) => existsSync(join(directory, program)));
}

/** Makes a file once: in a directory of its own, then moved to its place, so that nobody sees half of it. */
async function made(name: string, make: (work: string, out: string) => Promise<void>): Promise<string> {
  const file = join(cacheDirectory(), name);
  if (existsSync(file)) return file;
  const missing = imagesMissing(
    ...["busybox", "tar", "umoci", "skopeo", ...(name === "debian.tar" ? ["mmdebstrap"] : [])],
  );
  if (missing !== null) throw new Error(`cannot make the test image ${name}: ${missing}`);
  await mkdir(cacheDirectory(), { recursive: true });
  const work = await mkdtemp(join(cacheDirectory(), "make-"));
  try {
    await make(work, join(work, name));
    await rename(join(work, name), file);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return file;
}

function cacheDirectory(): string {
  const base = process.env["TSBOX_TEST_CACHE"] ?? join(tmpdir(), "tsbox-test-images");
  return join(base, createHash("sha256").update(readFileSync(self)).digest("hex").slice(0, 12));
}

async function busyboxLayout(work: string): Promise<string> {
  const root = join(work, "root");
  await makeBusyboxTree(root);
  const tar = join(work, "layer.tar");
  await run("tar", [
    "--sort=name",
    `--mtime=${epoch}`,
    "--owner=0",
    "--group=0",
    "--numeric-owner",
    "-C",
    root,
    "-cf",
    tar,
    ".",
  ]);
  return layoutOf(work, tar, "busybox", ["--config.cmd", "sh"]);
}

/** The tree of Docker's busybox image: one static program under a hard link for each of its commands. */
async function makeBusyboxTree(root: string): Promise<void> {
  for (const directory of ["bin", "dev", "etc", "home", "proc", "root", "sys", "usr", "var"])
    await mkdir(join(root, directory), { recursive: true });
  await mkdir(join(root, "tmp"));
  await chmod(join(root, "tmp"), 0o1777);
  await chmod(join(root, "root"), 0o700);
  await symlink("../bin", join(root, "usr/bin"));
  const { stdout } = await run("sh", ["-c", "command -v busybox"]);
  const busybox = join(root, "bin/busybox");
  await cp(stdout.trim(), busybox, { dereference: true });
  await chmod(busybox, 0o755);
  await run(busybox, ["--install", join(root, "bin")]);
  await writeFile(
    join(root, "etc/passwd"),
    "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\nnobody:x:65534:65534:nobody:/home:/bin/false\n",
  );
  await writeFile(join(root, "etc/group"), "root:x:0:\ndaemon:x:1:\nwheel:x:10:root\nnogroup:x:65534:\n");
}

/** An OCI image layout with one image of one layer; returns umoci's and skopeo's name for it, PATH:TAG. */
async function layoutOf(work: string, tar: string, tag: string, config: readonly string[]): Promise<string> {
  const layout = join(work, "layout");
  const image = `${layout}:${tag}`;
  await run("umoci", ["init", "--layout", layout]);
  await run("umoci", ["new", "--image", image]);
  await run("umoci", ["raw", "add-layer", "--image", image, "--history.created", epoch, tar]);
  const always = ["--no-history", "--created", epoch, "--config.env", path, "--architecture", "amd64", "--os", "linux"];
  await run("umoci", ["config", "--image", image, ...always, ...config]);
  return image;
}

async function copy(layout: string, to: string): Promise<void> {
  await run("skopeo", ["--insecure-policy", "copy", "--quiet", `oci:${layout}`, to]);
}

const recipes: Readonly<Record<string, () => Promise<string>>> = {
  busybox: busyboxTar,
  "busybox-oci": busyboxOciTar,
  "busybox-layers": busyboxLayersTar,
  debian: debianTar,
};

async function main(names: readonly string[]): Promise<void> {
  for (const name of names.length > 0 ? names : ["busybox"]) {
    const make = recipes[name];
    if (make === undefined)
      throw new Error(`no such test image: ${name}; there are ${Object.keys(recipes).join(", ")}`);
    process.stdout.write(`${await make()}\n`);
  }
}

if (process.argv[1] === self) await main(process.argv.slice(2));
