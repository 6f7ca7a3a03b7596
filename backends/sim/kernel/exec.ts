/**
 * What execve(2) makes of a file: its x bit, then its first bytes. `\0asm` is a WebAssembly program;
 * `#!` names an interpreter; an ELF file cannot run here, but two kinds have a stand-in that behaves
 * as they do: busybox (recognised by its own banner), which dispatches on argv[0], and programs that
 * lie where distributions have theirs and come unmodified from an image or with the machine: the kernel knows their
 * bytes by the very memory they are in (Kernel.imageBytes), which a copy or a changed file has not.
 */
import { Errno } from "../../../core/base/errno.ts";
import { decodeBytes } from "../../../core/base/bytes.ts";
import { AboutBytes } from "./about-bytes.ts";
import type { Kernel } from "./kernel.ts";
import type { StandIn } from "./process.ts";
import type { Program } from "./sys.ts";
import { type Location, mountOf } from "./mounts.ts";
import { fileSystemAt, pathOf, resolve, statAt, type View } from "./walk.ts";

export interface Loaded {
  /** The file that runs: of a script, its interpreter. */
  readonly executable: Location;
  readonly program: { readonly body: Program; readonly argv: readonly string[] };
  readonly standIn: StandIn | null;
}

const interpretersMax = 4;
const firstLineBytes = 256;
/** Programs of Debian's essential packages whose stand-ins are busybox's: same use, same basic output. */
const standIns = /^\/(?:usr\/)?s?bin\/([a-z0-9[.-]+)$/;
/** What distributions call the files behind a link of another name. */
const aliases: Readonly<Record<string, string>> = {
  mawk: "awk",
  "nc.openbsd": "nc",
  "nc.traditional": "nc",
  "vim.basic": "vi",
  "vim.tiny": "vi",
};
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
  if (mountOf(view.table, executable).flags.has("noexec")) throw new Errno("EACCES", path);
  const fileSystem = fileSystemAt(view.table, executable);
  if (kernel.openInodes.isWritten(fileSystem, executable.inode)) throw new Errno("ETXTBSY", path);
  const head = fileSystem.read(executable.inode, 0, firstLineBytes);
  if (startsWith(head, [0x23, 0x21])) return interpreted(kernel, view, path, argv, head, depth);
  if (startsWith(head, [0x00, 0x61, 0x73, 0x6d])) {
    const bytes = fileSystem.read(executable.inode, 0, stat.size);
    return { executable, program: { body: await kernel.options.loader.webAssembly(bytes), argv }, standIn: null };
  }
  if (!startsWith(head, [0x7f, 0x45, 0x4c, 0x46])) throw new Errno("ENOEXEC", path);
  const bytes = fileSystem.read(executable.inode, 0, stat.size);
  const isOfBusybox = bannered.of(bytes, (all) => contains(all, banner));
  const isFromImage = kernel.imageBytes.has(bytes.buffer);
  const name = isOfBusybox ? appletOf(argv) : isFromImage ? programAt(pathOf(view, executable)) : undefined;
  const body = name === undefined ? null : await kernel.options.loader.standIn(name, isOfBusybox);
  if (name === undefined || body === null) {
    const why = isFromImage ? "" : ": it is none that came with an image, or it was changed";
    kernel.log.add(`exec: ${path} is an ELF file, and no TypeScript program stands in for it here${why}`);
    throw new Errno("ENOEXEC", path);
  }
  return { executable, program: { body, argv }, standIn: { program: name, file: path } };
}

/** Which bytes hold busybox's banner. */
const bannered = new AboutBytes<boolean>();

function programAt(path: string): string | undefined {
  const name = standIns.exec(path)?.[1];
  return name === undefined ? undefined : (aliases[name] ?? name);
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
