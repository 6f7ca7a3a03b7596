/** The files of the kernel as one of its processes sees them: what core's rules (core/unionfs/posix.ts) ask, answered. */
import { Errno } from "../../../core/base/errno.ts";
import { type Actor, permit } from "../../../core/unionfs/access.ts";
import type { FileSystem, Inode, Stat } from "../../../core/unionfs/file-system.ts";
import type { OpenInodes } from "../../../core/unionfs/open-inodes.ts";
import type { Ownership, ProcessView } from "../../../core/unionfs/process-view.ts";
import { insideOf } from "./ids.ts";
import type { Kernel } from "./kernel.ts";
import { coverOf, type Location, mountOf } from "./mounts.ts";
import { actorOf } from "./permission.ts";
import { isAlive, type Process } from "./process.ts";
import { Locations, statAt, type View } from "./walk.ts";

/** What a process is judged by, as long as it is the same. */
interface Judged {
  readonly actor: Actor;
  readonly capabilities: Process["capabilities"];
  readonly user: Process["namespaces"]["user"];
}

export class ProcessFiles extends Locations implements ProcessView<Location> {
  readonly #kernel: Kernel;
  readonly #process: Process;
  #judged: Judged | null = null;

  constructor(kernel: Kernel, process: Process) {
    super(viewOf(process, (file, wanted) => permit(this.actor, file, wanted)));
    this.#kernel = kernel;
    this.#process = process;
  }

  get actor(): Actor {
    const { uid, gid, groups, capabilities, namespaces } = this.#process;
    const known = this.#judged;
    const isSame =
      known !== null &&
      known.actor.uid === uid &&
      known.actor.gid === gid &&
      known.actor.groups === groups &&
      known.capabilities === capabilities &&
      known.user === namespaces.user;
    if (isSame) return known.actor;
    const actor = actorOf(this.#process);
    this.#judged = { actor, capabilities, user: namespaces.user };
    return actor;
  }

  get umask(): number {
    return this.#process.umask;
  }

  get fileSizeMax(): number {
    const most = this.#process.limits.get("fsize")?.soft ?? -1;
    return most === -1 ? Number.POSITIVE_INFINITY : most;
  }

  get open(): OpenInodes {
    return this.#kernel.openInodes;
  }

  fileSystem(location: Location): FileSystem {
    return mountOf(this.table, location).fileSystem;
  }

  inode({ inode }: Location): Inode {
    return inode;
  }

  stat(location: Location): Stat {
    return statAt(this.table, location);
  }

  isReadOnly(location: Location): boolean {
    const { flags, isSealed } = mountOf(this.table, location);
    return isSealed === true || flags.has("ro");
  }

  isFileSystemReadOnly(location: Location): boolean {
    return mountOf(this.table, location).isSealed === true;
  }

  forget(fileSystem: FileSystem, inode: Inode): void {
    this.#kernel.lingering.forget(fileSystem, inode);
  }

  mount({ mount }: Location): number {
    return mount;
  }

  /** By whichever mount it is seen: what is mounted on stays. */
  isMountPoint(location: Location): boolean {
    const fileSystem = this.fileSystem(location);
    for (const { id, fileSystem: each } of (location.table ?? this.table).mounts.values())
      if (each === fileSystem && coverOf(this.table, { ...location, mount: id }) !== undefined) return true;
    return false;
  }

  /** Of files that may run only: few are written to. */
  isRunning(file: Location): boolean {
    if ((this.look(file).mode & 0o111) === 0) return false;
    const fileSystem = this.fileSystem(file);
    for (const process of this.#kernel.processes.values())
      if (isAlive(process) && process.executable?.inode === file.inode && fileSystemOf(process) === fileSystem)
        return true;
    return false;
  }

  stored(location: Location, { uid, gid }: Ownership): Ownership {
    const { idMaps } = mountOf(this.table, location);
    if (idMaps === null) return { uid, gid };
    const [owner, group] = [insideOf(idMaps.uids, uid), insideOf(idMaps.gids, gid)];
    if (owner === null || group === null) throw new Errno("EOVERFLOW");
    return { uid: owner, gid: group };
  }
}

/** What its program is on. */
function fileSystemOf({ executable, namespaces }: Process): FileSystem | null {
  if (executable === null) return null;
  return (executable.table ?? namespaces.mount.table).mounts.get(executable.mount)?.fileSystem ?? null;
}

/** Of the moment, whenever it is looked at: a process may get other namespaces, another root, another directory. */
function viewOf(process: Process, permitted: View["permit"]): View {
  return {
    get table() {
      return process.namespaces.mount.table;
    },
    get root() {
      return process.root;
    },
    get directory() {
      return process.directory;
    },
    permit: permitted,
  };
}
