/** Looking at files by path: their status, and the path without symlinks. */
import { Errno } from "../../../core/base/errno.ts";
import type { Stat } from "../../../core/unionfs/file-system.ts";
import type { Sys } from "../kernel/sys.ts";
import { isErrno } from "./applet.ts";

/** The status of a file, null when there is none. */
export function lookAt(sys: Sys, path: string, follow = false): Stat | null {
  try {
    return follow ? sys.stat(path) : sys.lstat(path);
  } catch (thrown) {
    if (isErrno(thrown, "ENOENT", "ENOTDIR")) return null;
    throw thrown;
  }
}

/** Whether there is a file that this process may execute. */
export function isProgram(sys: Sys, path: string): boolean {
  try {
    sys.access(path, { execute: true });
    return sys.stat(path).kind === "file";
  } catch (thrown) {
    if (thrown instanceof Errno) return false;
    throw thrown;
  }
}

/** realpath(3); the last component may be missing unless `strict`. */
export function canonical(sys: Sys, path: string, strict = true, depth = 0): string {
  if (depth > 40) throw new Errno("ELOOP", path);
  const parts = (path.startsWith("/") ? path : `${sys.directory()}/${path}`)
    .split("/")
    .filter((part) => part !== "" && part !== ".");
  let done = "";
  for (const [index, part] of parts.entries()) {
    if (part === "..") {
      done = done.slice(0, Math.max(0, done.lastIndexOf("/")));
      continue;
    }
    const next = `${done}/${part}`;
    const stat = lookAt(sys, next);
    const isLast = index === parts.length - 1;
    if (stat === null && (!isLast || strict)) throw new Errno("ENOENT", path);
    if (stat?.kind === "symlink") {
      const target = sys.readlink(next);
      const rest = parts.slice(index + 1).join("/");
      const whole = target.startsWith("/") ? target : `${done}/${target}`;
      return canonical(sys, rest === "" ? whole : `${whole}/${rest}`, strict, depth + 1);
    }
    if (!isLast && stat?.kind !== "directory") throw new Errno("ENOTDIR", path);
    done = next;
  }
  return done === "" ? "/" : done;
}
