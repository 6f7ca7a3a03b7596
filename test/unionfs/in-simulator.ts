/**
 * Performs the scripts of oracle.c in a process of the simulated kernel, by its system calls, and prints what the oracle
 * prints. Beside what core alone can do there are mounts within the tree: binds, read-only ones too, and unmounting.
 */
import { inProcess, smallHost } from "../../backends/sim/testing/small-host.ts";
import type { Kernel } from "../../backends/sim/kernel/kernel.ts";
import type { Location } from "../../backends/sim/kernel/mounts.ts";
import { FileChannel } from "../../backends/sim/kernel/open-file.ts";
import type { Process } from "../../backends/sim/kernel/process.ts";
import { ProcessFiles } from "../../backends/sim/kernel/process-files.ts";
import type { OpenOptions, Sys, Whence } from "../../backends/sim/kernel/sys.ts";
import { Errno } from "../../core/base/errno.ts";
import type { Capability } from "../../core/runtime/capabilities.ts";
import type { FileSystem, Stat } from "../../core/unionfs/file-system.ts";
import { Posix } from "../../core/unionfs/posix.ts";
import {
  calledByPath,
  type Calls,
  type Command,
  flagsOf,
  hashed,
  identityOf,
  ok,
  privateMarks,
  statLine,
  type Subject,
} from "./performing.ts";

/** Runs something with a subject in a simulated kernel of its own. */
export function inSimulator<T>(act: (subject: Subject) => Promise<T>): Promise<T> {
  const kernel = smallHost();
  return inProcess(kernel, async (sys) => {
    const process = kernel.turns.current;
    if (process === null) throw new Error("no process has its turn");
    sys.makeDirectory("/mnt", 0o755);
    sys.umask(0);
    return act(new Simulated(kernel, process, sys));
  });
}

class Simulated implements Subject {
  readonly #kernel: Kernel;
  readonly #process: Process;
  readonly #sys: Sys;
  readonly #calls: Calls;
  readonly #outside: Location;
  readonly #capabilities: Process["capabilities"];
  readonly #slots = new Map<string, number>();
  readonly #scans = new Map<string, { readonly path: string; entries: readonly string[]; readonly read: number }>();
  readonly #fileSystems: FileSystem[] = [];
  #inside: Location;

  constructor(kernel: Kernel, process: Process, sys: Sys) {
    this.#kernel = kernel;
    this.#process = process;
    this.#sys = sys;
    this.#calls = callsOf(sys);
    this.#outside = process.root;
    this.#inside = process.root;
    this.#capabilities = process.capabilities;
  }

  async run(script: readonly Command[]): Promise<string[]> {
    const said: string[] = [];
    for (const command of script) said.push(...(await this.#said(command)));
    return said;
  }

  async #said(command: Command): Promise<string[]> {
    try {
      return await this.#perform(command);
    } catch (thrown) {
      if (thrown instanceof Errno) return [thrown.errno];
      throw thrown;
    }
  }

  async #perform([name = "", ...f]: Command): Promise<string[]> {
    const [a = "", b = ""] = f;
    switch (name) {
      case "view":
        return this.#asRoot(async () => [...(await this.#viewOf("", b === "" && a === "b")), "."]);
      case "upper":
        return this.#asRoot(() => this.#viewOutside(a));
      case "at":
        return this.#performAt(a, f.slice(1));
      default:
        return [this.#mounted(name, f) ?? (await this.#scanned(name, f)) ?? (await this.#called(name, f))];
    }
  }

  /** As who it was afterwards, but as another object: to the kernel that is another. */
  async #asRoot<T>(act: () => Promise<T>): Promise<T> {
    const { uid, gid, groups, capabilities } = this.#process;
    Object.assign(this.#process, { uid: 0, gid: 0, capabilities: this.#capabilities });
    try {
      return await act();
    } finally {
      Object.assign(this.#process, { uid, gid, groups: [...groups], capabilities });
    }
  }

  #standIn(root: Location): void {
    this.#process.root = root;
    this.#process.directory = root;
  }

  async #viewOutside(path: string): Promise<string[]> {
    this.#standIn(this.#outside);
    const seen = await this.#viewOf(path, false, true);
    this.#standIn(this.#inside);
    return [...seen, "."];
  }

  async #performAt(directory: string, command: Command): Promise<string[]> {
    this.#sys.changeDirectory(directory);
    const said = await this.#said(command);
    return this.#asRoot(() => {
      this.#process.directory = this.#inside;
      return Promise.resolve(said);
    });
  }

  #mounted(name: string, [a = "", b = "", c = "", d = ""]: readonly string[]): string | null {
    const sys = this.#sys;
    switch (name) {
      case "mkdir!":
        return ok(sys.makeDirectory(a, Number.parseInt(b, 8)));
      case "mount":
        sys.mount(b, b, a, d.includes("r") ? ["ro"] : [], c);
        return "mounted";
      case "umount":
        return ok(sys.unmount(a));
      case "drop":
        return ok(sys.unmount(a, { lazily: true }));
      case "bind":
        return ok(sys.bind(a, b, { recursive: c.includes("R"), flags: c.includes("r") ? ["ro"] : [] }));
      case "tmpfs":
        return ok(sys.mount("tmpfs", "none", a, [], "mode=755"));
      case "unmount":
        return ok(sys.unmount(a, { lazily: b === "l" }));
      case "enter":
        sys.changeDirectory(a);
        sys.changeRoot(".");
        this.#inside = this.#process.root;
        return "entered";
      case "leave":
        return this.#leave();
      default:
        return null;
    }
  }

  #leave(): string {
    for (const fd of this.#slots.values()) this.#sys.close(fd);
    this.#slots.clear();
    this.#become(0, 0, [], "");
    this.#sys.umask(0);
    this.#standIn(this.#outside);
    return "ok";
  }

  #become(uid: number, gid: number, groups: readonly number[], named: string): void {
    const byUser = named === "" || named === "all";
    const all = byUser ? (uid === 0 ? this.#capabilities.effective : []) : named.split(",").map(capabilityOf);
    Object.assign(this.#process, { uid, gid, groups, capabilities: { ...this.#capabilities, effective: all } });
  }

  async #called(name: string, fields: readonly string[]): Promise<string> {
    const [a = "", b = "", c = "", d = ""] = fields;
    switch (name) {
      case "as":
        this.#become(Number(a), Number(b), c === "" ? [] : c.split(",").map(Number), d);
        return "ok";
      case "umask":
        this.#sys.umask(Number.parseInt(a, 8));
        return "ok";
      case "open":
        return this.#open(a, b, c, Number.parseInt(d, 8));
      default: {
        const shown = (stat: Stat, path: string, noFollow: boolean): string => this.#lineOf(stat, path, noFollow);
        return calledByPath(this.#calls, [name, ...fields], shown) ?? this.#onDescriptor(name, a, b, c);
      }
    }
  }

  async #open(slot: string, path: string, letters: string, mode: number): Promise<string> {
    const old = this.#slots.get(slot);
    if (old !== undefined) this.#sys.close(old);
    this.#slots.delete(slot);
    const fd = await this.#sys.open(path, optionsOf(letters, mode));
    const isKept = this.#sys.statFd(fd).kind === "file";
    if (isKept) this.#slots.set(slot, fd);
    else this.#sys.close(fd);
    return isKept ? "ok" : "special";
  }

  async #onDescriptor(name: string, slot: string, b: string, c: string): Promise<string> {
    const sys = this.#sys;
    const fd = this.#slots.get(slot) ?? -1;
    switch (name) {
      case "read":
        return hashed(await sys.read(fd, Number(b)));
      case "write":
        return String(await sys.write(fd, new Uint8Array(Number(b)).fill(Number(c))));
      case "seek":
        return String(sys.seek(fd, Number(b), c as Whence));
      case "ftruncate":
        return ok(sys.truncateOpened(fd, Number(b)));
      case "fstat":
        return this.#openedLine(fd);
      case "flink":
        return ok(sys.linkOpened(fd, b));
      case "close":
        this.#slots.delete(slot);
        return ok(sys.close(fd));
      default:
        throw new Error(`there is no command ${name}`);
    }
  }

  #openedLine(fd: number): string {
    const stat = this.#sys.statFd(fd);
    const channel = this.#process.fds.get(fd)?.channel;
    if (!(channel instanceof FileChannel)) throw new Error("only files stay open");
    return statLine(this.#identity(channel.opened.fileSystem, stat), stat, false);
  }

  /** A directory read in two goes. */
  async #scanned(name: string, [slot = "", path = "", count = ""]: readonly string[]): Promise<string | null> {
    if (name === "scan") {
      this.#scans.set(slot, { path, entries: namesIn(this.#sys, path), read: Number(count) });
      return "ok";
    }
    const scan = this.#scans.get(slot);
    if (scan === undefined || !["rest", "rewind", "back", "end"].includes(name)) return null;
    if (name === "rewind") scan.entries = namesIn(this.#sys, scan.path);
    if (name === "back") return `${scan.entries.length - scan.read}: `;
    return (name === "end" ? [] : scan.entries).map((entry) => `${entry} `).join("");
  }

  #lineOf(stat: Stat, path: string, noFollow: boolean, blocks = false): string {
    const view = new ProcessFiles(this.#kernel, this.#process);
    const fileSystem = view.fileSystem(new Posix(view).existing(path, noFollow));
    return statLine(this.#identity(fileSystem, stat), stat, blocks);
  }

  /** Numbers of the simulator's own inodes stand for files of one file system each. */
  #identity(fileSystem: FileSystem, { inode }: Stat): string {
    if (!this.#fileSystems.includes(fileSystem)) this.#fileSystems.push(fileSystem);
    return `${this.#fileSystems.indexOf(fileSystem).toString(16)}f${identityOf(fileSystem, inode)}`;
  }

  async #viewOf(path: string, blocks: boolean, isUpper = false, shown = ""): Promise<string[]> {
    const lines: string[] = [];
    for (const name of namesIn(this.#sys, path === "" ? "/" : path)) {
      const [child, at] = [`${path}/${name}`, `${shown}/${name}`];
      lines.push(...(await this.#entry(child, at, blocks, isUpper)));
    }
    return lines;
  }

  async #entry(child: string, at: string, blocks: boolean, isUpper: boolean): Promise<string[]> {
    const stat = lookedAt(this.#sys, child);
    if (typeof stat === "string") return [`${at} ${stat}`];
    const told = this.#lineOf(stat, child, true, blocks);
    const line = `${at} ${isUpper ? told.replace(/ #.*/, "") : told}${this.#xattrsOf(child)}${await this.#bodyOf(child, stat)}`;
    return stat.kind === "directory" ? [line, ...(await this.#viewOf(child, blocks, isUpper, at))] : [line];
  }

  #xattrsOf(path: string): string {
    const names = this.#sys.listXattrs(path, { noFollow: true }).filter((name) => !privateMarks.test(name));
    const valueOf = (name: string): Uint8Array => this.#sys.getXattr(path, name, { noFollow: true });
    return names.map((name) => ` ${name}=${Buffer.from(valueOf(name)).toString("hex")}`).join("");
  }

  async #bodyOf(path: string, { kind }: Stat): Promise<string> {
    if (kind === "symlink") return ` ->${this.#sys.readlink(path)}`;
    if (kind !== "file") return "";
    const fd = await this.#sys.open(path, { access: "read", noFollow: true });
    const bytes = await this.#sys.read(fd, 1 << 20);
    this.#sys.close(fd);
    return hashed(bytes);
  }
}

function capabilityOf(name: string): Capability {
  return `CAP_${name}` as Capability;
}

function optionsOf(letters: string, mode: number): OpenOptions {
  const { read, write, ...flags } = flagsOf(letters);
  const access = write === true ? (read === true ? "both" : "write") : "read";
  return { ...flags, access, mode, nonBlocking: true };
}

function callsOf(sys: Sys): Calls {
  return {
    stat: (path) => sys.stat(path),
    lstat: (path) => sys.lstat(path),
    list: (path) => sys.list(path),
    readlink: (path) => sys.readlink(path),
    access: (path, wanted) => sys.access(path, Object.fromEntries(wanted.map((each) => [each, true]))),
    mkdir: (path, mode) => sys.makeDirectory(path, mode),
    mknod: (path, node) => {
      const [major, minor] = "major" in node ? [node.major, node.minor] : [0, 0];
      sys.makeNode(path, node.kind, node.mode, major, minor);
    },
    symlink: (target, path) => sys.symlink(target, path),
    link: (target, path) => sys.link(target, path),
    unlink: (path) => sys.unlink(path),
    rmdir: (path) => sys.removeDirectory(path),
    rename: (from, to, flag) => sys.rename(from, to, flag),
    truncate: (path, size) => sys.truncate(path, size),
    chmod: (path, mode) => sys.setAttributes(path, { mode }),
    chown: (path, uid, gid, noFollow = false) =>
      sys.setAttributes(path, { ...(uid === null ? {} : { uid }), ...(gid === null ? {} : { gid }) }, { noFollow }),
    utimes: (path, times, noFollow = false) => sys.setAttributes(path, times, { noFollow }),
    getXattr: (path, name, noFollow = false) => sys.getXattr(path, name, { noFollow }),
    setXattr: (path, name, value, noFollow = false) => sys.setXattr(path, name, value, { noFollow }),
    removeXattr: (path, name, noFollow = false) => sys.removeXattr(path, name, { noFollow }),
  };
}

function namesIn(sys: Sys, path: string): readonly string[] {
  return sys.list(path).map(({ name }) => name);
}

/** Or the errno with which it is refused. */
function lookedAt(sys: Sys, path: string): Stat | string {
  try {
    return sys.lstat(path);
  } catch (refused) {
    if (refused instanceof Errno) return refused.errno;
    throw refused;
  }
}
