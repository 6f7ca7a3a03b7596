import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { scratch } from "../../backends/linux/testing/scratch.ts";
import { type Daemon, dockerdMissing, startDockerd } from "../docker-cli/dockerd.ts";
import { startTsboxd } from "../docker-cli/tsboxd.ts";
import { busyboxTar, imagesMissing } from "./make.ts";
import { tree } from "./tree.ts";

// A container that wrote all sorts of files is exported by dockerd, podman, and tsbox in both worlds: GNU tar unpacks
// the same tree of each.

const skip = dockerdMissing() ?? imagesMissing() ?? false;
const noPodman = skip || (spawnSync("podman", ["--version"]).status === 0 ? false : "podman is not installed");

const script = [
  "mkdir -p /w/deep/er /w/empty",
  "echo a > /w/f && ln /w/f /w/deep/g && chmod 4755 /w/f",
  "ln -s f /w/l && ln -s /no/where /w/dangling",
  "mkfifo /w/p && chown 12:34 /w/p",
  "yes | head -c 700000 > /w/deep/er/large",
  "echo more >> /etc/group && rm /etc/passwd && rm -r /home",
  "rm -r /var && mkdir /var && echo new > /var/new",
  "rm /bin/yes && ln /bin/true /bin/again",
  "touch -d @1000000000 /w/f /w/deep/er/large",
].join(" && ");

/** The init layer's stubs and directories that were written to have times of today; podman has no ".dockerenv". */
const format = "%P|%y|%m|%U:%G|%l|";

function unpacked(root: string, tar: string): string[] {
  const directory = join(root, `${tar}.tree`);
  mkdirSync(directory);
  execFileSync("tar", ["xf", join(root, tar), "-C", directory, "--numeric-owner", "-p"]);
  const times = execFileSync("stat", ["-c", "%Y %h", join(directory, "w/f"), join(directory, "w/deep/er/large")]);
  return [String(times), ...tree(directory, format)];
}

async function exported(start: () => Promise<Daemon>, root: string, tar: string): Promise<string[]> {
  const daemon = await start();
  const docker = (...args: string[]): string =>
    execFileSync("docker", ["-H", daemon.host, ...args], { encoding: "utf8" });
  try {
    docker("load", "-i", await busyboxTar());
    assert.equal(
      docker("run", "--name", "box", "--network", "none", "-v", "/w/empty", "busybox", "sh", "-c", script),
      "",
    );
    docker("export", "-o", join(root, tar), "box");
    docker("rm", "-v", "box");
    return unpacked(root, tar);
  } finally {
    await daemon.stop();
  }
}

async function inScratch(work: (root: string) => Promise<void>): Promise<void> {
  const root = scratch("export");
  try {
    await work(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

test("a container is exported as dockerd exports it, in both worlds", { skip }, async () => {
  await inScratch(async (root) => {
    const theirs = await exported(startDockerd, root, "dockerd.tar");
    assert.deepEqual(await exported(() => startTsboxd(), root, "linux.tar"), theirs);
    assert.deepEqual(await exported(() => startTsboxd({ flags: ["--backend", "sim"] }), root, "sim.tar"), theirs);
  });
});

/** podman puts no file for Docker's sake into a container. */
const dockers =
  /^(\.dockerenv|dev\/(console|pts|shm)|etc\/(mtab|hosts|hostname|resolv\.conf))\||(\.dockerenv|dev\/console|etc\/(hosts|hostname|resolv\.conf))$/;

test("a container is exported as podman exports it", { skip: noPodman }, async () => {
  const lock = "/dev/shm/libpod_lock";
  const hadLock = existsSync(lock);
  await inScratch(async (root) => {
    const storage = ["--root", join(root, "p"), "--runroot", join(root, "pr"), "--storage-driver", "vfs"];
    const podman = (...args: string[]): string =>
      execFileSync("podman", [...storage, "--events-backend", "none", ...args], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
      });
    podman("load", "-q", "-i", await busyboxTar());
    podman("create", "--name", "box", "busybox");
    // Its runtime would run on fewer machines than its storage does.
    execFileSync("chroot", [podman("mount", "box").trim(), "/bin/sh", "-c", script]);
    podman("export", "-o", join(root, "podman.tar"), "box");
    podman("rm", "-f", "-v", "box");
    const stubless = (lines: string[]): string[] => lines.filter((line) => !dockers.test(line));
    const ours = await exported(() => startTsboxd(), root, "linux.tar");
    assert.deepEqual(stubless(ours), stubless(unpacked(root, "podman.tar")));
  });
  if (!hadLock) rmSync(lock, { force: true });
});
