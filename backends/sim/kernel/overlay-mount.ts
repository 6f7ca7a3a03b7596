/** mount -t overlay: the union that its options name (Documentation/filesystems/overlayfs.rst). */
import { Errno } from "../../../core/base/errno.ts";
import type { Branch } from "../../../core/unionfs/marks.ts";
import { Overlay } from "../../../core/unionfs/overlay.ts";

/** More lower directories than these the kernel does not take. */
const lowersMax = 500;

/**
 * `branchAt` finds a directory by its path, or throws why it cannot be one of a union. EINVAL without lower directories,
 * or with an upper one that has no work directory. A union without an upper directory is not made here: EINVAL too.
 */
export function overlayOf(options: string, branchAt: (path: string) => Branch): Overlay {
  const named = new Map(
    options.split(",").map((option): [string, string] => {
      const at = option.indexOf("=");
      return at === -1 ? [option, ""] : [option.slice(0, at), option.slice(at + 1)];
    }),
  );
  const lowers = (named.get("lowerdir") ?? "").split(":").filter((path) => path !== "");
  const [upper, work] = [named.get("upperdir"), named.get("workdir")];
  if (lowers.length === 0 || lowers.length > lowersMax || upper === undefined || work === undefined)
    throw new Errno("EINVAL");
  const top = branchAt(upper);
  if (branchAt(work).tree !== top.tree) throw new Errno("EINVAL", work);
  return new Overlay(top, lowers.map(branchAt), { userXattrs: named.has("userxattr") });
}
