/** Who else loads and saves images here: dockerd, podman, skopeo, umoci, each with a storage of its own in memory. */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { dockerdMissing, startDockerd } from "../test/docker-cli/dockerd.ts";
import { onPath, timeCommand } from "./command.ts";

/** An archive of one image goes in, and comes out again. Each step says how many milliseconds it took. */
export interface ImagePeer {
  readonly name: string;
  readonly load: () => number;
  /** Null: it keeps no images it could write out. */
  readonly save: ((file: string) => number) | null;
  /** Removes what `load` brought. */
  readonly clear: () => void;
  readonly close: () => Promise<void>;
}

export async function imagePeers(directory: string, archive: string, name: string): Promise<ImagePeer[]> {
  const peers = [
    await dockerPeer(archive, name),
    podmanPeer(directory, archive, name),
    skopeoPeer(directory, archive),
    umociPeer(directory, archive, name),
  ];
  return peers.filter((peer) => peer !== null);
}

/** podman makes it wherever its storage is, and leaves it. */
const podmanLock = "/dev/shm/libpod_lock";
const nothing = (): Promise<void> => Promise.resolve();

async function dockerPeer(archive: string, name: string): Promise<ImagePeer | null> {
  if (dockerdMissing() !== null || !onPath("docker")) return null;
  const { host, stop } = await startDockerd();
  const docker = (...args: readonly string[]): number =>
    timeCommand({ program: "docker", args: ["-H", host, ...args] });
  return {
    name: "dockerd",
    load: () => docker("load", "-q", "-i", archive),
    save: (file) => docker("save", "-o", file, name),
    clear: () => void docker("rmi", "-f", name),
    close: stop,
  };
}

function podmanPeer(directory: string, archive: string, name: string): ImagePeer | null {
  if (!onPath("podman")) return null;
  const root = join(directory, "podman");
  const global = ["--root", root, "--runroot", join(directory, "pr"), "--storage-driver", "overlay"];
  const hadLock = existsSync(podmanLock);
  const podman = (...args: readonly string[]): number =>
    timeCommand({ program: "podman", args: [...global, "--events-backend", "none", ...args] });
  return {
    name: "podman",
    load: () => podman("load", "-q", "-i", archive),
    save: (file) => {
      rmSync(file, { force: true });
      return podman("save", "-q", "-o", file, name);
    },
    clear: () => void podman("rmi", "-f", name),
    close: () => {
      removeStorage(root);
      if (!hadLock) rmSync(podmanLock, { force: true });
      return nothing();
    },
  };
}

/** skopeo fills the storage that podman, CRI-O and buildah use. */
function skopeoPeer(directory: string, archive: string): ImagePeer | null {
  if (!onPath("skopeo")) return null;
  const root = join(directory, "skopeo");
  const target = `containers-storage:[overlay@${root}+${join(directory, "skopeo-run")}]example.org/copy:latest`;
  const copy = ["--insecure-policy", "copy", "--quiet", `docker-archive:${archive}`, target];
  return {
    name: "skopeo",
    load: () => timeCommand({ program: "skopeo", args: copy }),
    save: null,
    clear: () => void timeCommand({ program: "skopeo", args: ["--insecure-policy", "delete", target] }),
    close: () => Promise.resolve(removeStorage(root)),
  };
}

/** umoci unpacks a layout; it reads no archive, so the layout is made beforehand. */
function umociPeer(directory: string, archive: string, name: string): ImagePeer | null {
  if (!onPath("umoci") || !onPath("skopeo")) return null;
  const layout = join(directory, "umoci-layout");
  const bundle = join(directory, "umoci-bundle");
  const copy = ["--insecure-policy", "copy", "--quiet", `docker-archive:${archive}`, `oci:${layout}:${name}`];
  timeCommand({ program: "skopeo", args: copy });
  return {
    name: "umoci",
    load: () => timeCommand({ program: "umoci", args: ["unpack", "--image", `${layout}:${name}`, bundle] }),
    save: null,
    clear: () => rmSync(bundle, { recursive: true }),
    close: nothing,
  };
}

/** The storage of containers holds a mount of itself. */
function removeStorage(root: string): void {
  const mount = join(root, "overlay");
  if (existsSync(mount)) timeCommand({ program: "sh", args: ["-c", 'umount "$1" || true', "sh", mount] });
  rmSync(root, { recursive: true, force: true });
}
