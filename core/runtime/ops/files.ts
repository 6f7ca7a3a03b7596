/** Rows of the ops that make single files: on the host, and in the container. */
import { beneathRoot, call, octal, quote, sometimes } from "./calls.ts";
import { containerPath, hostPath, isWhole, permissions, targetPath } from "./checks.ts";
import type { Rows } from "./row.ts";

export const fileRows = {
  "directory.make": {
    check: ({ path, mode }) => hostPath(path) ?? permissions(mode),
    undo: ({ path }) => ({ op: "directory.remove", path }),
    explain: ({ path, mode }) => ({
      sentence: `makes the directory ${path} on the host`,
      syscalls: [call("mkdir", quote(path), octal(mode))],
      man: "mkdir(2)",
    }),
  },
  "directory.remove": {
    check: ({ path }) => hostPath(path),
    explain: ({ path }) => ({
      sentence: `removes the directory ${path} of the host`,
      syscalls: [call("rmdir", quote(path))],
      man: "rmdir(2)",
    }),
  },
  directory: {
    check: ({ path, mode }) => containerPath(path) ?? permissions(mode),
    explain: ({ path, mode }) => ({
      sentence: `makes sure that the directory ${path} exists in the container`,
      syscalls: [beneathRoot(path), sometimes("when it is missing", call("mkdirat", quote(path), octal(mode)))],
      man: "openat2(2)",
    }),
  },
  file: {
    check: ({ path, mode }) => targetPath(path) ?? permissions(mode),
    explain: ({ path, mode }) => ({
      sentence: `makes sure that there is a file ${path} for a mount to land on`,
      syscalls: [
        beneathRoot(path),
        sometimes("when it is missing", call("openat2", quote(path), "O_CREAT", octal(mode))),
      ],
      man: "openat2(2)",
    }),
  },
  device: {
    check: ({ path, mode, major, minor }) =>
      targetPath(path) ??
      permissions(mode) ??
      (isWhole(major, 0xfff) && isWhole(minor, 0xfffff) ? null : `no such device number ${major}:${minor}`),
    explain: ({ path, type, major, minor, mode }) => ({
      sentence: `makes the ${type} device ${path} (${major}:${minor}), one of the few that a container may use`,
      syscalls: [
        beneathRoot(parentOf(path)),
        call(
          "mknodat",
          quote(path),
          `${type === "character" ? "S_IFCHR" : "S_IFBLK"}|${octal(mode)}`,
          `makedev(${major}, ${minor})`,
        ),
      ],
      man: "mknod(2)",
    }),
  },
  symlink: {
    check: ({ path, target }) => targetPath(path) ?? (target === "" ? "an empty symlink" : null),
    explain: ({ path, target }) => ({
      sentence: `makes ${path} point to ${target}`,
      syscalls: [beneathRoot(parentOf(path)), call("symlinkat", quote(target), quote(path))],
      man: "symlink(7)",
    }),
  },
} satisfies Rows<"directory.make" | "directory.remove" | "directory" | "file" | "device" | "symlink">;

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}
