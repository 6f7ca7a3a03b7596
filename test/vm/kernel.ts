/**
 * Debian's kernel and its modules for the virtual machine, unpacked into a cache directory; nothing is installed. The
 * cloud flavour is smallest and has virtiofs.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

export interface Kernel {
  /** "6.1.0-40-cloud-amd64" */
  readonly version: string;
  readonly image: string;
  /** A directory with lib/modules/<version> in it. */
  readonly tree: string;
}

export function findKernel(cache: string): Kernel {
  const tree = join(cache, "kernel");
  if (!existsSync(tree)) download(cache, tree);
  const version = readdirSync(join(tree, "lib/modules"))[0];
  if (version === undefined) throw new Error(`${tree} holds no kernel: remove it and try again`);
  return { version, image: join(tree, "boot", `vmlinuz-${version}`), tree };
}

function download(cache: string, tree: string): void {
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, "download-"));
  try {
    execFileSync("apt-get", ["-o", "APT::Sandbox::User=root", "download", "-qq", packageName()], {
      cwd: work,
      stdio: ["ignore", "ignore", "inherit"],
    });
    const archive = readdirSync(work).find((name) => name.endsWith(".deb"));
    if (archive === undefined) throw new Error("apt-get download brought no package");
    const unpacked = join(work, "tree");
    execFileSync("dpkg-deb", ["-x", join(work, archive), unpacked]);
    const version = readdirSync(join(unpacked, "lib/modules"))[0] ?? "";
    execFileSync("depmod", ["-b", unpacked, version]);
    renameSync(unpacked, tree);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The package behind the meta package, linux-image-<version>-cloud-amd64. */
function packageName(): string {
  const text = execFileSync("apt-cache", ["depends", "linux-image-cloud-amd64"], { encoding: "utf8" });
  const name = /Depends: (linux-image-\S+)/.exec(text)?.[1];
  if (name === undefined) throw new Error("apt knows no linux-image-cloud-amd64: run apt-get update");
  return name;
}
