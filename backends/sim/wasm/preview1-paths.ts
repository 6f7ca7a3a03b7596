/** preview1's calls on paths (path_…): each names a file relative to a directory's descriptor. */
import { encodeText } from "../../../core/base/bytes.ts";
import { Errno } from "../../../core/base/errno.ts";
import type { Calls, Guest } from "./preview1.ts";
import { flag, modifiedTime, right, writeStat } from "./preview1-descriptors.ts";

const opening = { create: 1, directory: 2, exclusive: 4, truncate: 8 };
const follow = 1;
const pathMax = 4096;

export const pathCalls: Calls = {
  plain: {
    path_create_directory(guest, directory: number, pointer: number, length: number) {
      guest.sys.makeDirectory(pathOf(guest, directory, pointer, length), 0o777);
    },

    path_filestat_get(guest, directory: number, flags: number, pointer: number, length: number, result: number) {
      const path = pathOf(guest, directory, pointer, length);
      const stat = (flags & follow) === 0 ? guest.sys.lstat(path) : guest.sys.stat(path);
      writeStat(guest.memory, result, stat, guest.sys.device(path));
    },

    path_filestat_set_times(
      guest,
      directory: number,
      flags: number,
      pointer: number,
      length: number,
      _accessed: bigint,
      modified: bigint,
      which: number,
    ) {
      const { sys } = guest;
      const mtime = modifiedTime(sys.now(), modified, which);
      const path = pathOf(guest, directory, pointer, length);
      if (mtime !== null) sys.setAttributes(path, { mtime }, { noFollow: (flags & follow) === 0 });
    },

    path_link(
      guest,
      oldDirectory: number,
      _flags: number,
      oldPointer: number,
      oldLength: number,
      directory: number,
      pointer: number,
      length: number,
    ) {
      const target = pathOf(guest, oldDirectory, oldPointer, oldLength);
      guest.sys.link(target, pathOf(guest, directory, pointer, length));
    },

    path_readlink(
      guest,
      directory: number,
      pointer: number,
      length: number,
      buffer: number,
      size: number,
      result: number,
    ) {
      const target = encodeText(guest.sys.readlink(pathOf(guest, directory, pointer, length))).subarray(0, size);
      guest.memory.bytes(buffer, size).set(target);
      guest.memory.setU32(result, target.length);
    },

    path_remove_directory(guest, directory: number, pointer: number, length: number) {
      guest.sys.removeDirectory(pathOf(guest, directory, pointer, length));
    },

    path_rename(
      guest,
      oldDirectory: number,
      oldPointer: number,
      oldLength: number,
      directory: number,
      pointer: number,
      length: number,
    ) {
      const from = pathOf(guest, oldDirectory, oldPointer, oldLength);
      guest.sys.rename(from, pathOf(guest, directory, pointer, length));
    },

    path_symlink(
      guest,
      targetPointer: number,
      targetLength: number,
      directory: number,
      pointer: number,
      length: number,
    ) {
      const target = guest.memory.text(targetPointer, targetLength);
      if (target === "") throw new Errno("ENOENT");
      guest.sys.symlink(target, pathOf(guest, directory, pointer, length));
    },

    path_unlink_file(guest, directory: number, pointer: number, length: number) {
      guest.sys.unlink(pathOf(guest, directory, pointer, length));
    },
  },
  waiting: {
    async path_open(
      guest,
      directory: number,
      lookup: number,
      pointer: number,
      length: number,
      how: number,
      rights: bigint,
      _inheriting: bigint,
      flags: number,
      result: number,
    ) {
      const { sys, memory, descriptors } = guest;
      const path = pathOf(guest, directory, pointer, length);
      const append = (flags & flag.append) !== 0;
      const access = accessOf(rights, (how & opening.directory) !== 0);
      const fd = await sys.open(path, {
        access: access.read && access.write ? "both" : access.write ? "write" : "read",
        create: (how & opening.create) !== 0,
        exclusive: (how & opening.exclusive) !== 0,
        truncate: (how & opening.truncate) !== 0,
        directory: (how & opening.directory) !== 0,
        noFollow: (lookup & follow) === 0,
        append,
        mode: 0o666,
      });
      memory.setU32(result, descriptors.add({ fd, path, access, append }, (flags & flag.nonBlocking) !== 0));
    },
  },
};

/** Reading and writing as the wanted rights need it. */
function accessOf(rights: bigint, isDirectory: boolean): { read: boolean; write: boolean } {
  const write = !isDirectory && (rights & (right.write | right.allocate)) !== 0n;
  return { read: (rights & (right.read | right.list)) !== 0n || !write, write };
}

function pathOf({ memory, descriptors }: Guest, directory: number, pointer: number, length: number): string {
  if (length >= pathMax) throw new Errno("ENAMETOOLONG");
  const path = memory.text(pointer, length);
  if (path.includes("\0")) throw new Errno("EINVAL");
  return descriptors.path(directory, path);
}
