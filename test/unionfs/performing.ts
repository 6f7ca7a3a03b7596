/** Performs the scripts of oracle.c on core/unionfs alone, and prints what it prints; on the simulated kernel: in-simulator.ts. */
import { decodeBytes, encodeText } from "../../core/base/bytes.ts";
import { Errno } from "../../core/base/errno.ts";
import type { Actor, Wanted } from "../../core/unionfs/access.ts";
import type { FileSystem, Inode, Stat } from "../../core/unionfs/file-system.ts";
import type { Branch } from "../../core/unionfs/marks.ts";
import { Overlay, type OverlayOptions } from "../../core/unionfs/overlay.ts";
import type { OpenedFile, OpenFlags } from "../../core/unionfs/opened-file.ts";
import { OpenInodes } from "../../core/unionfs/open-inodes.ts";
import { Posix } from "../../core/unionfs/posix.ts";
import { SingleMount } from "../../core/unionfs/single-mount.ts";
import { Tree } from "../../core/unionfs/tree.ts";

/** A command and its fields, as a line of the script. */
export type Command = readonly string[];

/** Whoever performs scripts. */
export interface Subject {
  run(script: readonly Command[]): string[] | Promise<string[]>;
}

/** The system calls by path, as core has them. */
export type Calls = Pick<
  Posix<Inode>,
  | "stat"
  | "lstat"
  | "list"
  | "readlink"
  | "access"
  | "mkdir"
  | "mknod"
  | "symlink"
  | "link"
  | "unlink"
  | "rmdir"
  | "rename"
  | "truncate"
  | "chmod"
  | "chown"
  | "utimes"
  | "getXattr"
  | "setXattr"
  | "removeXattr"
>;

interface Mounted {
  readonly fileSystem: FileSystem;
  readonly readOnly: boolean;
  readonly open: OpenInodes;
}

interface Place extends Mounted {
  readonly root: Inode;
}

interface Scan {
  readonly path: string;
  entries: readonly string[];
  /** How many the first go took. */
  readonly read: number;
}

const rootUser = actorOf(0, 0, [], "");
/** What is later was stamped by the clock. */
const durableFrom = 1_000_000_000_000_000_000n;
export const privateMarks = /^(?:trusted|user)\.overlay\.(?:origin|impure|nlink|uuid)$/;

export class Performer implements Subject {
  readonly #mounts = new Map<string, Mounted>();
  readonly #directories = new Map<string, Place>();
  readonly #slots = new Map<string, OpenedFile>();
  readonly #scans = new Map<string, Scan>();
  #now = durableFrom;
  #place: Place | null = null;
  #user: Actor = rootUser;
  #umask = 0;

  /** The trees that are mounted: for a look at their invariants. */
  get trees(): Tree[] {
    return [...this.#mounts.values()].flatMap(({ fileSystem }) => (fileSystem instanceof Tree ? [fileSystem] : []));
  }

  run(script: readonly Command[]): string[] {
    return script.flatMap((command) => {
      try {
        return this.#perform(command);
      } catch (thrown) {
        if (thrown instanceof Errno) return [thrown.errno];
        throw thrown;
      }
    });
  }

  #perform(command: Command): string[] {
    const [name, ...f] = command;
    const outer = this.#outer(name ?? "", f);
    if (outer !== null) return outer;
    if (name === "view" || name === "upper") this.#user = { ...this.#user }; // the oracle looks as root, and comes back as another
    if (name === "view") return [...viewOf(this.#inside(), f[0] === "b"), "."];
    if (name === "upper") return [...viewOf(this.#at(f[0] ?? ""), false, true), "."];
    return [this.#scanned(name ?? "", f) ?? this.#onFiles(name ?? "", f) ?? this.#onDescriptors(name ?? "", f)];
  }

  #outer(name: string, [path = "", ...rest]: string[]): string[] | null {
    switch (name) {
      case "mkdir!":
        return this.#makeDirectory(path, Number.parseInt(rest[0] ?? "", 8));
      case "mount":
        this.#mount(path, rest[0] ?? "", rest[1] ?? "", (rest[2] ?? "").includes("r"));
        return ["mounted"];
      case "umount":
        this.#mounts.delete(path);
        this.#directories.delete(path);
        return ["ok"];
      case "enter":
        this.#place = this.#at(path);
        return ["entered"];
      case "leave":
        for (const file of this.#slots.values()) file.close();
        this.#slots.clear();
        this.#user = rootUser;
        this.#umask = 0;
        return ["ok"];
      default:
        return null;
    }
  }

  #makeDirectory(path: string, mode: number): string[] {
    const slash = path.lastIndexOf("/");
    const parent = this.#at(path.slice(0, slash));
    const root = parent.fileSystem.create(parent.root, path.slice(slash + 1), {
      kind: "directory",
      mode,
      uid: 0,
      gid: 0,
    });
    this.#directories.set(path, { ...parent, root });
    return ["ok"];
  }

  #mount(path: string, type: string, options: string, readOnly: boolean): void {
    const fileSystem = type === "tmpfs" ? this.#tmpfs(options) : this.#overlay(options);
    const mounted = { fileSystem, readOnly, open: new OpenInodes() };
    this.#mounts.set(path, mounted);
    this.#directories.set(path, { ...mounted, root: fileSystem.root });
  }

  #tmpfs(options: string): Tree {
    const given = new Map(options.split(",").map((option) => option.split("=") as [string, string | undefined]));
    const [bytes, inodes] = [given.get("size"), given.get("nr_inodes")];
    const tree = new Tree(() => ++this.#now, {
      ...(bytes === undefined ? {} : { bytes: Number(bytes) }),
      ...(inodes === undefined ? {} : { inodes: Number(inodes) }),
    });
    tree.setAttributes(tree.root, { mode: Number.parseInt(given.get("mode") ?? "1777", 8) });
    return tree;
  }

  #overlay(options: string): Overlay {
    const given = new Map(options.split(",").map((option) => option.split("=") as [string, string | undefined]));
    const branch = (path: string): Branch => {
      const { fileSystem, root } = this.#at(path);
      return { tree: fileSystem as Tree, root };
    };
    const lowers = (given.get("lowerdir") ?? "").split(":").map(branch);
    return new Overlay(branch(given.get("upperdir") ?? ""), lowers, optionsOf(given));
  }

  #at(path: string): Place {
    const place = this.#directories.get(path);
    if (place === undefined) throw new Error(`${path} was not made`);
    return place;
  }

  #inside(): Place {
    if (this.#place === null) throw new Error("nowhere entered");
    return this.#place;
  }

  #posix(): Posix<Inode> {
    const { fileSystem, root, readOnly, open } = this.#inside();
    return new Posix(new SingleMount(fileSystem, { actor: this.#user, umask: this.#umask, readOnly, open, root }));
  }

  /** A directory read in two goes: what was listed at first is handed out, whatever happens meanwhile. */
  #scanned(name: string, [slot = "", path = "", count = ""]: string[]): string | null {
    if (name === "scan") {
      this.#scans.set(slot, { path, entries: namesIn(this.#posix(), path), read: Number(count) });
      return "ok";
    }
    const scan = this.#scans.get(slot);
    if (scan === undefined || !["rest", "rewind", "back", "end"].includes(name)) return null;
    if (name === "rewind") scan.entries = namesIn(this.#posix(), scan.path);
    if (name === "back") return `${scan.entries.length - scan.read}: `;
    return (name === "end" ? [] : scan.entries).map((entry) => `${entry} `).join("");
  }

  #onFiles(name: string, fields: string[]): string | null {
    const [a = "", b = "", c = "", d = ""] = fields;
    switch (name) {
      case "as":
        this.#user = actorOf(Number(a), Number(b), c === "" ? [] : c.split(",").map(Number), d);
        return "ok";
      case "umask":
        this.#umask = Number.parseInt(a, 8);
        return "ok";
      default:
        return calledByPath(this.#posix(), [name, ...fields], (stat) => statLine(this.#identity(stat), stat, false));
    }
  }

  #identity({ inode }: Stat): string {
    return identityOf(this.#inside().fileSystem, inode);
  }
  #onDescriptors(name: string, [slot = "", b = "", c = "", d = ""]: string[]): string {
    if (name === "open") return this.#open(slot, b, c, Number.parseInt(d, 8));
    const file = this.#slots.get(slot);
    if (file === undefined) throw new Errno("EBADF");
    switch (name) {
      case "read":
        return hashed(file.read(Number(b)));
      case "write":
        return String(file.write(new Uint8Array(Number(b)).fill(Number(c)), this.#posix()));
      case "seek":
        return String(file.seek(Number(b), c as "set"));
      case "ftruncate":
        return ok(file.truncate(Number(b), this.#posix()));
      case "fstat":
        return statLine(this.#identity(file.stat()), file.stat(), false);
      case "flink":
        return ok(this.#posix().linkOpened(file, b));
      case "close":
        this.#slots.delete(slot);
        return ok(file.close());
      default:
        throw new Error(`there is no command ${name}`);
    }
  }

  #open(slot: string, path: string, letters: string, mode: number): string {
    this.#slots.get(slot)?.close();
    this.#slots.delete(slot);
    const file = this.#posix().open(path, flagsOf(letters), mode);
    const { kind } = file.stat();
    if (kind === "file") this.#slots.set(slot, file);
    else file.close();
    if (letters.includes("p")) return kind === "file" ? "ok" : "special";
    if (kind === "block") throw new Errno("ENXIO"); // no such device on this machine
    if (kind === "fifo" && letters.includes("w") && !letters.includes("r")) throw new Errno("ENXIO");
    return kind === "file" ? "ok" : "special";
  }
}

/** What a command about a path comes to; null: it is none. */
export function calledByPath(
  calls: Calls,
  [name = "", a = "", b = "", c = "", d = "", e = ""]: Command,
  shown: (stat: Stat, path: string, noFollow: boolean) => string,
): string | null {
  const octal = (text: string): number => Number.parseInt(text, 8);
  switch (name) {
    case "mkdir":
      return ok(calls.mkdir(a, octal(b)));
    case "rmdir":
      return ok(calls.rmdir(a));
    case "unlink":
      return ok(calls.unlink(a));
    case "rename":
      return ok(calls.rename(a, b, (["replace", "no-replace", "exchange"] as const)[Number(c)] ?? "replace"));
    case "link":
      return ok(calls.link(a, b));
    case "symlink":
      return ok(calls.symlink(a, b));
    case "mknod":
      return ok(calls.mknod(a, { kind: b as "character", mode: octal(c), major: Number(d), minor: Number(e) }));
    case "truncate":
      return ok(calls.truncate(a, Number(b)));
    case "chmod":
      return ok(calls.chmod(a, octal(b)));
    case "chown":
      return ok(calls.chown(a, idOf(b), idOf(c), d === "n"));
    case "utimes":
      return ok(calls.utimes(a, { atime: secondsOf(b, 5n), mtime: secondsOf(c, 7n) }, d === "n"));
    case "setx":
      return ok(calls.setXattr(a, b, encodeText(c), true));
    case "rmx":
      return ok(calls.removeXattr(a, b, true));
    case "stat":
      return shown(calls.stat(a), a, false);
    case "lstat":
      return shown(calls.lstat(a), a, true);
    case "access":
      return ok(calls.access(a, wantedOf(Number(b))));
    case "readlink":
      return `->${calls.readlink(a)}`;
    case "list":
      return calls
        .list(a)
        .map((entry) => `${entry.name} `)
        .join("");
    case "getx":
      return decodeBytes(calls.getXattr(a, b, true));
    default:
      return null;
  }
}

function namesIn(posix: Posix<Inode>, path: string): readonly string[] {
  return posix.list(path).map((entry) => entry.name);
}

/** `capabilities`: which count, without "CAP_"; "": as the user id has it. */
function actorOf(uid: number, gid: number, groups: readonly number[], capabilities: string): Actor {
  const named = new Set(capabilities.split(",").map((name) => `CAP_${name}`));
  const byUser = capabilities === "" || capabilities === "all";
  return { uid, gid, groups, may: (capability) => (byUser ? uid === 0 : named.has(capability)) };
}

function optionsOf(given: ReadonlyMap<string, string | undefined>): OverlayOptions {
  return {
    redirects:
      given.get("redirect_dir") === "on" ? "on" : given.get("redirect_dir") === "nofollow" ? "nofollow" : "follow",
    metacopy: given.get("metacopy") === "on",
    userXattrs: given.has("userxattr"),
    xino: given.get("xino") === "on",
  };
}

export function ok(_done: void): string {
  return "ok";
}

function idOf(text: string): number | null {
  return text === "-1" ? null : Number(text);
}

function secondsOf(text: string, nanoseconds: bigint): bigint {
  return BigInt(text) * 1_000_000_000n + nanoseconds;
}

function wantedOf(bits: number): Wanted[] {
  return [
    ...((bits & 4) === 0 ? [] : ["read" as const]),
    ...((bits & 2) === 0 ? [] : ["write" as const]),
    ...((bits & 1) === 0 ? [] : ["execute" as const]),
  ];
}

export function flagsOf(letters: string): OpenFlags {
  const has = (letter: string): boolean => letters.includes(letter);
  return {
    read: !has("p") && (has("r") || !has("w")),
    write: !has("p") && has("w"),
    create: has("c"),
    exclusive: has("x"),
    truncate: has("t"),
    append: has("a"),
    noFollow: has("n"),
    directory: has("d"),
    unnamed: has("u"),
    path: has("p"),
  };
}

/** "device:number", as stat(2) tells them of a file. */
export function identityOf(fileSystem: FileSystem, inode: Inode): string {
  const { device, number } =
    fileSystem instanceof Overlay ? fileSystem.identity(inode) : { device: 0, number: inode as number };
  return `${device.toString(16)}:${number.toString(16)}`;
}

export function statLine(identity: string, stat: Stat, blocks: boolean): string {
  const { kind, mode, uid, gid, links, size, major, minor, mtime } = stat;
  const isWhiteout = kind === "character" && major === 0 && minor === 0;
  const time = mtime >= durableFrom ? "now" : String(mtime);
  return [
    `${kind} ${mode.toString(8)} ${uid} ${gid} ${isWhiteout ? -1 : links} ${size} ${major}:${minor} ${time}`,
    ...(blocks ? [`b${stat.blocks}`] : []),
    ...(isWhiteout ? [] : [`#${identity}`]),
  ].join(" ");
}

export function hashed(bytes: Uint8Array): string {
  let hash = 2166136261;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 16777619);
  return ` ${bytes.length}=${(hash >>> 0).toString(16)}`;
}

function viewOf(place: Place, blocks: boolean, isUpper = false, directory: Inode = place.root, path = ""): string[] {
  const { fileSystem } = place;
  return fileSystem.list(directory).flatMap(({ name }) => {
    const at = `${path}/${name}`;
    const inode = foundIn(fileSystem, directory, name);
    if (typeof inode === "string") return [`${at} ${inode}`];
    const stat = fileSystem.stat(inode);
    const told = statLine(identityOf(fileSystem, inode), stat, blocks);
    const line = `${at} ${isUpper ? told.replace(/ #.*/, "") : told}${xattrsOf(fileSystem, inode)}${bodyOf(fileSystem, stat)}`;
    return stat.kind === "directory" ? [line, ...viewOf(place, blocks, isUpper, inode, at)] : [line];
  });
}

/** Or the errno with which looking it up fails. */
function foundIn(fileSystem: FileSystem, directory: Inode, name: string): Inode | string {
  try {
    return fileSystem.lookup(directory, name);
  } catch (refused) {
    if (refused instanceof Errno) return refused.errno;
    throw refused;
  }
}

function xattrsOf(fileSystem: FileSystem, inode: Inode): string {
  const names = fileSystem.listXattrs(inode).filter((name) => !privateMarks.test(name));
  return names.map((name) => ` ${name}=${Buffer.from(fileSystem.getXattr(inode, name)).toString("hex")}`).join("");
}

function bodyOf(fileSystem: FileSystem, { inode, kind }: Stat): string {
  if (kind === "symlink") return ` ->${fileSystem.readlink(inode)}`;
  return kind === "file" ? hashed(fileSystem.read(inode, 0, 1 << 20)) : "";
}
