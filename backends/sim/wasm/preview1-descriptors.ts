/** preview1's calls on descriptors (fd_…): reading, writing, seeking, what a descriptor is. */
import { encodeText } from "../../../core/base/bytes.ts";
import { Errno } from "../../../core/base/errno.ts";
import type { DirectoryEntry, Stat } from "../../../core/unionfs/file-system.ts";
import { type Descriptor, fileTypeOf, rootDescriptor } from "./descriptors.ts";
import type { GuestMemory } from "./guest-memory.ts";
import type { Calls, Guest } from "./preview1.ts";

export const flag = { append: 1, dataSync: 2, nonBlocking: 4, readSync: 8, sync: 16 };
export const right = {
  read: 1n << 1n,
  seek: 1n << 2n,
  tell: 1n << 5n,
  write: 1n << 6n,
  allocate: 1n << 8n,
  list: 1n << 14n,
};
const everyRight = (1n << 30n) - 1n;
/** Linux takes no more in one call (read(2)); we take less, so that a call has a bounded copy. */
const transferMax = 1 << 20;
const whences = ["set", "current", "end"] as const;
const direntBytes = 24;

export const descriptorCalls: Calls = {
  plain: {
    fd_advise({ descriptors }, number: number) {
      descriptors.get(number);
    },

    fd_allocate({ descriptors }, number: number) {
      descriptors.get(number);
      throw new Errno("EOPNOTSUPP");
    },

    fd_close({ descriptors }, number: number) {
      descriptors.close(number);
    },

    fd_datasync({ descriptors }, number: number) {
      descriptors.fd(number);
    },

    fd_sync({ descriptors }, number: number) {
      descriptors.fd(number);
    },

    fd_fdstat_get({ sys, memory, descriptors }, number: number, result: number) {
      const descriptor = descriptors.get(number);
      const { kind } = descriptors.stat(number);
      const isStream =
        kind === "fifo" || kind === "socket" || (descriptor.fd !== null && sys.isTerminal(descriptor.fd));
      const flags = (descriptor.append ? flag.append : 0) | (descriptor.nonBlocking ? flag.nonBlocking : 0);
      memory.bytes(result, 24).fill(0);
      memory.setByte(result, fileTypeOf(kind));
      memory.setU16(result + 2, flags);
      memory.setU64(result + 8, rightsOf(descriptor, isStream));
      memory.setU64(result + 16, kind === "directory" ? everyRight : 0n);
    },

    fd_fdstat_set_flags({ descriptors }, number: number, flags: number) {
      const descriptor = descriptors.get(number);
      if (((flags & flag.append) !== 0) !== descriptor.append) throw new Errno("EOPNOTSUPP");
      descriptor.nonBlocking = (flags & flag.nonBlocking) !== 0;
    },

    fd_fdstat_set_rights({ descriptors }, number: number) {
      descriptors.get(number);
    },

    fd_filestat_get({ sys, memory, descriptors }, number: number, result: number) {
      const { path } = descriptors.get(number);
      writeStat(memory, result, descriptors.stat(number), path === null ? 0 : sys.device(path));
    },

    fd_filestat_set_size({ sys, descriptors }, number: number, size: bigint) {
      const { path, access } = descriptors.get(number);
      if (!access.write || path === null) throw new Errno("EINVAL");
      sys.truncate(path, offsetOf(size));
    },

    fd_filestat_set_times({ sys, descriptors }, number: number, _accessed: bigint, modified: bigint, which: number) {
      const { path } = descriptors.get(number);
      if (path === null) throw new Errno("EINVAL");
      const mtime = modifiedTime(sys.now(), modified, which);
      if (mtime !== null) sys.setAttributes(path, { mtime });
    },

    fd_prestat_get({ memory }, number: number, result: number) {
      if (number !== rootDescriptor) throw new Errno("EBADF");
      memory.setU32(result, 0);
      memory.setU32(result + 4, 1);
    },

    fd_prestat_dir_name({ memory }, number: number, pointer: number, length: number) {
      if (number !== rootDescriptor) throw new Errno("EBADF");
      if (length < 1) throw new Errno("ENAMETOOLONG");
      memory.bytes(pointer, 1).set(encodeText("/"));
    },

    fd_readdir(guest, number: number, pointer: number, length: number, cookie: bigint, result: number) {
      const { memory } = guest;
      const entries = entriesOf(guest, number, cookie);
      const target = memory.bytes(pointer, length);
      let used = 0;
      for (let index = Number(BigInt.asUintN(32, cookie)); index < entries.length && used < length; index++) {
        const bytes = directoryEntry(entries[index], index + 1);
        target.set(bytes.subarray(0, length - used), used);
        used += Math.min(bytes.length, length - used);
      }
      memory.setU32(result, used);
    },

    fd_renumber({ descriptors }, from: number, to: number) {
      descriptors.renumber(from, to);
    },

    fd_seek({ sys, memory, descriptors }, number: number, offset: bigint, whence: number, result: number) {
      const from = whences[whence];
      if (from === undefined) throw new Errno("EINVAL");
      memory.setU64(result, BigInt(sys.seek(descriptors.fd(number), Number(offset), from)));
    },

    fd_tell({ sys, memory, descriptors }, number: number, result: number) {
      memory.setU64(result, BigInt(sys.seek(descriptors.fd(number), 0, "current")));
    },
  },
  waiting: {
    async fd_read(guest, number: number, pointer: number, count: number, result: number) {
      guest.memory.setU32(result, await readInto(guest, number, guest.memory.vectors(pointer, count)));
    },

    async fd_write(guest, number: number, pointer: number, count: number, result: number) {
      guest.memory.setU32(result, await writeFrom(guest, number, guest.memory.vectors(pointer, count)));
    },

    async fd_pread(guest, number: number, pointer: number, count: number, offset: bigint, result: number) {
      const read = (): Promise<number> => readInto(guest, number, guest.memory.vectors(pointer, count));
      guest.memory.setU32(result, await elsewhere(guest, number, offset, read));
    },

    async fd_pwrite(guest, number: number, pointer: number, count: number, offset: bigint, result: number) {
      const write = (): Promise<number> => writeFrom(guest, number, guest.memory.vectors(pointer, count));
      guest.memory.setU32(result, await elsewhere(guest, number, offset, write));
    },
  },
};

function rightsOf({ access, fd }: Descriptor, isStream: boolean): bigint {
  let rights = everyRight;
  if (!access.read && fd !== null) rights &= ~(right.read | right.list);
  if (!access.write) rights &= ~(right.write | right.allocate);
  return isStream ? rights & ~(right.seek | right.tell) : rights;
}

/** `device`: the number of its file system. */
export function writeStat(memory: GuestMemory, result: number, stat: Stat, device: number): void {
  memory.bytes(result, 64).fill(0);
  memory.setU64(result, BigInt(device));
  memory.setU64(result + 8, BigInt(stat.inode));
  memory.setByte(result + 16, fileTypeOf(stat.kind));
  memory.setU64(result + 24, BigInt(stat.links));
  memory.setU64(result + 32, BigInt(stat.size));
  memory.setU64(result + 40, stat.mtime);
  memory.setU64(result + 48, stat.mtime);
  memory.setU64(result + 56, stat.ctime);
}

const times = { modified: 4, modifiedNow: 8 };

/** What utimensat(2) is to do; null: the time of modification stays. Times of access are not kept. */
export function modifiedTime(now: bigint, modified: bigint, which: number): bigint | null {
  if ((which & times.modifiedNow) !== 0) return now;
  return (which & times.modified) === 0 ? null : BigInt.asUintN(64, modified);
}

function offsetOf(offset: bigint): number {
  if (offset < 0n || offset > BigInt(Number.MAX_SAFE_INTEGER)) throw new Errno("EINVAL");
  return Number(offset);
}

async function readInto({ sys, descriptors }: Guest, number: number, vectors: readonly Uint8Array[]): Promise<number> {
  const { nonBlocking } = descriptors.get(number);
  const fd = descriptors.fd(number);
  const wanted = Math.min(lengthOf(vectors), transferMax);
  if (nonBlocking && (await sys.poll([{ fd, read: true, write: false }], 0n)).length === 0) throw new Errno("EAGAIN");
  const bytes = await sys.read(fd, wanted);
  let taken = 0;
  for (const vector of vectors) {
    const part = bytes.subarray(taken, taken + vector.length);
    vector.set(part);
    taken += part.length;
  }
  return taken;
}

async function writeFrom({ sys, descriptors }: Guest, number: number, vectors: readonly Uint8Array[]): Promise<number> {
  const { nonBlocking } = descriptors.get(number);
  const fd = descriptors.fd(number);
  if (nonBlocking && (await sys.poll([{ fd, read: false, write: true }], 0n)).length === 0) throw new Errno("EAGAIN");
  const filled = vectors.filter(({ length }) => length > 0);
  const [only, ...more] = filled;
  const bytes = more.length === 0 ? (only ?? new Uint8Array(0)) : gathered(filled);
  return sys.write(fd, bytes.subarray(0, transferMax));
}

function gathered(vectors: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(Math.min(lengthOf(vectors), transferMax));
  let at = 0;
  for (const vector of vectors) {
    const part = vector.subarray(0, bytes.length - at);
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function lengthOf(vectors: readonly Uint8Array[]): number {
  return vectors.reduce((sum, { length }) => sum + length, 0);
}

/** pread and pwrite: at another offset, which is as before afterwards. */
async function elsewhere(guest: Guest, number: number, offset: bigint, act: () => Promise<number>): Promise<number> {
  const { sys, descriptors } = guest;
  const fd = descriptors.fd(number);
  const before = sys.seek(fd, 0, "current");
  sys.seek(fd, offsetOf(offset), "set");
  try {
    return await act();
  } finally {
    sys.seek(fd, before, "set");
  }
}

/** A directory's entries with "." and "..", as getdents(2) gives them; read anew from cookie 0 on. */
function entriesOf({ sys, descriptors }: Guest, number: number, cookie: bigint): readonly DirectoryEntry[] {
  const descriptor = descriptors.get(number);
  const { path } = descriptor;
  if (path === null || descriptors.stat(number).kind !== "directory") throw new Errno("ENOTDIR");
  if (cookie === 0n) {
    const dots = [".", ".."].map((name): DirectoryEntry => {
      const { inode, kind } = sys.stat(`${path}/${name}`);
      return { name, inode, kind };
    });
    descriptor.entries = [...dots, ...sys.list(path)];
  }
  return descriptor.entries;
}

function directoryEntry(entry: DirectoryEntry | undefined, next: number): Uint8Array {
  if (entry === undefined) return new Uint8Array(0);
  const name = encodeText(entry.name);
  const bytes = new Uint8Array(direntBytes + name.length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(next), true);
  view.setBigUint64(8, BigInt(entry.inode), true);
  view.setUint32(16, name.length, true);
  view.setUint8(20, fileTypeOf(entry.kind));
  bytes.set(name, direntBytes);
  return bytes;
}
