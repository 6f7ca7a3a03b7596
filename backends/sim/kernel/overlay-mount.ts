/** mount -t overlay: the union that its options name (Documentation/filesystems/overlayfs.rst). */
import { Errno } from "../../../core/base/errno.ts";
import type { Branch } from "../../../core/unionfs/marks.ts";
import type { Inode } from "../../../core/unionfs/file-system.ts";
import { Overlay, type OverlayOptions } from "../../../core/unionfs/overlay.ts";

/** More lower directories than these the kernel does not take. */
const lowersMax = 500;

/** What else is taken, whether or not it changes anything here. */
const behaviours = ["redirect_dir", "metacopy", "xino", "userxattr", "index", "nfs_export", "uuid", "volatile"];
const known = new Set(["lowerdir", "upperdir", "workdir", ...behaviours]);

/**
 * `branchAt` finds a directory by its path, or throws why it cannot be one of a union. EINVAL without lower directories,
 * or with an upper one that has no work directory beside it. A union without an upper directory is not made here: EINVAL too.
 */
export function overlayOf(text: string, branchAt: (path: string) => Branch): Overlay {
  const options = optionsOf(text);
  const lowers = (options.get("lowerdir") ?? "").split(/(?<!\\):/).filter((path) => path !== "");
  const [upper, work] = [options.get("upperdir"), options.get("workdir")];
  if (lowers.length === 0 || lowers.length > lowersMax || upper === undefined || work === undefined)
    throw new Errno("EINVAL");
  const [top, beside] = [branchAt(unescaped(upper)), branchAt(unescaped(work))];
  if (beside.tree !== top.tree || isBeneath(beside, top.root) || isBeneath(top, beside.root))
    throw new Errno("EINVAL", work);
  const branches = lowers.map((path) => branchAt(unescaped(path)));
  return new Overlay(top, branches, behaviourOf(options));
}

/** Divided by commas; "\\" takes away what is special about the next character. EINVAL for one that is not known. */
function optionsOf(text: string): Map<string, string> {
  const given = new Map<string, string>();
  for (const option of text.split(/(?<!\\),/).filter((each) => each !== "")) {
    const [name = ""] = option.split("=");
    if (!known.has(name)) throw new Errno("EINVAL", name);
    given.set(name, option.slice(name.length + 1));
  }
  return given;
}

function unescaped(path: string): string {
  return path.replace(/\\(.)/g, "$1");
}

function isBeneath({ tree, root }: Branch, above: Inode): boolean {
  for (let at = root; ; at = tree.parent(at)) {
    if (at === above) return true;
    if (at === tree.root) return false;
  }
}

function behaviourOf(options: ReadonlyMap<string, string>): OverlayOptions {
  const redirects = options.get("redirect_dir");
  return {
    redirects: redirects === "on" || redirects === "nofollow" ? redirects : "follow",
    metacopy: options.get("metacopy") === "on",
    userXattrs: options.has("userxattr"),
    xino: options.get("xino") === "on",
  };
}
