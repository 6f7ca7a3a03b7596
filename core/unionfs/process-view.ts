/**
 * What one process sees of its kernel's files, and who it is: all that the rules of system calls
 * (posix.ts) ask of the world they are made in. A place is an inode as it is seen through a mount.
 */
import type { Actor } from "./access.ts";
import type { FileSystem, Inode, Stat } from "./file-system.ts";
import type { OpenInodes } from "./open-inodes.ts";
import type { Guarded, Space } from "./walk.ts";

/** Ids of a user and a group. */
export interface Ownership {
  readonly uid: number;
  readonly gid: number;
}

export interface ProcessView<Place extends object | number> extends Space<Place> {
  /** Another object as soon as anything of it is another: who opened a file is known by identity. */
  readonly actor: Actor;
  readonly umask: number;
  /** RLIMIT_FSIZE, in bytes. */
  readonly fileSizeMax: number;
  /** Which files are open, by anybody. */
  readonly open: OpenInodes;
  /** A name of it is gone, or it is open once less: it goes with the last, unless something else keeps it. */
  forget(fileSystem: FileSystem, inode: Inode): void;
  fileSystem(place: Place): FileSystem;
  inode(place: Place): Inode;
  /** As `look` has it, with all the rest. */
  stat(place: Place): Stat;
  /** `look` for whenever it is asked, whatever has become of the mount. */
  looking(place: Place): () => Guarded;
  /** What lies in a directory by a name, beneath whatever is mounted on it; null: nothing. */
  child(directory: Place, name: string): Place | null;
  /** A file that has just been made in a directory. */
  made(directory: Place, name: string, inode: Inode): Place;
  /** Whether the mount, or all of the file system, is read-only. */
  isReadOnly(place: Place): boolean;
  isFileSystemReadOnly(place: Place): boolean;
  /** The number of the mount it is seen through. */
  mount(place: Place): number;
  /** Whether something is mounted on what `child` gave. */
  isMountPoint(place: Place): boolean;
  /** Whether it is the program of a process. */
  isRunning(file: Place): boolean;
  /** Ids as the place's file system keeps them. EOVERFLOW for one that an id-mapped mount does not map. */
  stored(place: Place, owner: Ownership): Ownership;
}
