/**
 * What execve(2) makes of a file: its x bit, then its first bytes. `\0asm` is a WebAssembly program;
 * `#!` names an interpreter; an ELF file cannot run here, but two kinds have a stand-in that behaves
 * as they do: busybox (recognised by its own banner), which dispatches on argv[0], and programs that
 * come unmodified from an image and stand in the table below.
 */
import { Errno } from "../../../core/base/errno.ts";
import { decodeBytes } from "../../../core/base/bytes.ts";
import type { FileSystem, Stat } from "../../../core/unionfs/file-system.ts";
import type { Kernel } from "./kernel.ts";
import type { StandIn } from "./process.ts";
import type { Program } from "./sys.ts";
import { type Location, mountAt } from "./mounts.ts";
import { fileSystemAt, resolve, statAt, type View } from "./walk.ts";

export interface Loaded {
  /** The file that runs: of a script, its interpreter. */
  readonly executable: Location;
  readonly program: { readonly body: Program; readonly argv: readonly string[] };
  readonly standIn: StandIn | null;
}

const interpretersMax = 4;
const firstLineBytes = 256;
/** Programs of Debian's essential packages whose stand-ins are busybox's: same use, same basic output. */
const standIns = /^\/(?:usr\/)?s?bin\/([a-z0-9[]+)$/;
const banner = new TextEncoder().encode("BusyBox v");

/** ENOENT, EACCES, ENOEXEC, ELOOP as execve(2) gives them. */
export async function loadProgram(
  kernel: Kernel,
  view: View,
  path: string,
  argv: readonly string[],
  depth = 0,
): Promise<Loaded> {
  if (depth > interpretersMax) throw new Errno("ELOOP", path);
  const executable = resolve(view, path);
  const stat = statAt(view.table, executable);
  if (stat.kind !== "file") throw new Errno("EACCES", path);
  view.permit(stat, "execute");
  if (mountAt(view.table, executable.mount).flags.has("noexec")) throw new Errno("EACCES", path);
  const fileSystem = fileSystemAt(view.table, executable);
  if (kernel.openInodes.isWritten(fileSystem, executable.inode)) throw new Errno("ETXTBSY", path);
  const head = fileSystem.read(executable.inode, 0, firstLineBytes);
  if (startsWith(head, [0x23, 0x21])) return interpreted(kernel, view, path, argv, head, depth);
  if (startsWith(head, [0x00, 0x61, 0x73, 0x6d])) {
    const bytes = fileSystem.read(executable.inode, 0, stat.size);
    return { executable, program: { body: await kernel.options.loader.webAssembly(bytes), argv }, standIn: null };
  }
  if (!startsWith(head, [0x7f, 0x45, 0x4c, 0x46])) throw new Errno("ENOEXEC", path);
  const isOfBusybox = isBusybox(fileSystem, stat);
  const name = isOfBusybox ? appletOf(argv) : standIns.exec(path)?.[1];
  const body = name === undefined ? null : await kernel.options.loader.standIn(name, isOfBusybox);
  if (name === undefined || body === null) {
    kernel.log.add(`exec: ${path} is an ELF file, and no TypeScript program stands in for it here`);
    throw new Errno("ENOEXEC", path);
  }
  return { executable, program: { body, argv }, standIn: { program: name, file: path } };
}

/** Which bytes hold busybox's banner. A layer's bytes are shared by all its containers: they are searched once. */
const searched = new WeakMap<object, Map<string, boolean>>();

function isBusybox(fileSystem: FileSystem, { inode, size }: Stat): boolean {
  const bytes = fileSystem.read(inode, 0, size);
  const known = searched.get(bytes.buffer) ?? new Map<string, boolean>();
  searched.set(bytes.buffer, known);
  const part = `${bytes.byteOffset} ${bytes.length}`;
  const found = known.get(part) ?? contains(bytes, banner);
  known.set(part, found);
  return found;
}

async function interpreted(
  kernel: Kernel,
  view: View,
  path: string,
  argv: readonly string[],
  bytes: Uint8Array,
  depth: number,
): Promise<Loaded> {
  const [line = ""] = decodeBytes(bytes.subarray(2, firstLineBytes)).split("\n");
  const [, interpreter = "", argument = ""] = /^\s*(\S+)\s*(.*?)\s*$/.exec(line) ?? [];
  if (interpreter === "") throw new Errno("ENOEXEC", path);
  const rest = [path, ...argv.slice(1)];
  const whole = argument === "" ? [interpreter, ...rest] : [interpreter, argument, ...rest];
  return loadProgram(kernel, view, interpreter, whole, depth + 1);
}

/** "busybox ls -l" is "ls -l". */
function appletOf(argv: readonly string[]): string {
  return (argv[0] ?? "").split("/").pop() ?? "";
}

function startsWith(bytes: Uint8Array, first: readonly number[]): boolean {
  return first.every((byte, at) => bytes[at] === byte);
}

function contains(bytes: Uint8Array, wanted: Uint8Array): boolean {
  const first = wanted[0] ?? 0;
  for (let at = bytes.indexOf(first); at !== -1; at = bytes.indexOf(first, at + 1)) {
    if (wanted.every((byte, offset) => bytes[at + offset] === byte)) return true;
  }
  return false;
}
