/**
 * `cp`: files between a container and here (docker/cli: cli/command/container/cp.go). What a path means when it is there,
 * is not, or ends in "/" or "/." is the same in both directions, and decided here; a tar goes over the wire.
 */
import { fromBase64 } from "../../core/base/base64.ts";
import { decodeBytes } from "../../core/base/bytes.ts";
import { segment } from "../client.ts";
import { type Call, command } from "../command.ts";
import { ApiError, CliError } from "../errors.ts";
import { flag } from "../flags.ts";
import { humanSize } from "../format/units.ts";
import type { LocalTrees } from "../ports.ts";

const flags = {
  archive: flag.bool("a", "Archive mode (copy all uid/gid information)"),
  "follow-link": flag.bool("L", "Always follow symbol link in SRC_PATH"),
  quiet: flag.bool(
    "q",
    "Suppress progress output during copy. Progress output is automatically suppressed if no terminal is attached",
  ),
};

export default command({
  usage: "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\ttsbox cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
  summary: "Copy files/folders between a container and the local filesystem",
  flags,
  min: 2,
  max: 2,
  perform: async (call) => {
    const [source = "", target = ""] = call.args;
    const [from, to] = [placeOf(source), placeOf(target)];
    if (from.container !== null && to.container !== null)
      throw new CliError("copying between containers is not supported");
    if (from.container !== null) return copyOut(call, { ...from, container: from.container }, to.path);
    if (to.container !== null) return copyIn(call, from.path, { ...to, container: to.container });
    throw new CliError("must specify at least one container source");
  },
});

type CopyCall = Call<typeof flags>;

interface Place {
  /** null: here. */
  readonly container: string | null;
  readonly path: string;
}

type Remote = Place & { readonly container: string };

/** "web:/etc"; a path with a "/" before the ":" is one of this machine, and so is "C:" alone. */
function placeOf(text: string): Place {
  const colon = text.indexOf(":");
  if (colon <= 0 || text.startsWith("/") || text.slice(0, colon).includes("/") || text.startsWith("."))
    return { container: null, path: text };
  return { container: text.slice(0, colon), path: text.slice(colon + 1) };
}

type Kind = "file" | "directory" | "symlink";

function treesOf({ ports }: CopyCall): LocalTrees {
  if (ports.trees === null) throw new CliError("there are no files here to copy");
  return ports.trees;
}

// ---- paths ---------------------------------------------------------------------------------------------------------

/** What is in the directory, not the directory. */
function meansContents(path: string): boolean {
  return path === "." || path.endsWith("/.");
}

function meansDirectory(path: string): boolean {
  return path.endsWith("/") || meansContents(path);
}

function baseName(path: string): string {
  if (meansContents(path)) return ".";
  return path.replace(/\/+$/, "").split("/").at(-1) || "/";
}

function parentOf(path: string): string {
  const trimmed = path.replace(/\/+$/, "");
  const slash = trimmed.lastIndexOf("/");
  if (slash < 0) return ".";
  return slash === 0 ? "/" : trimmed.slice(0, slash);
}

interface Landing {
  readonly directory: string;
  /** What the thing is called there; null: as it is called. */
  readonly name: string | null;
}

/** Where a thing lands. `there`: what is at the target, null when nothing is. */
function landing(source: Kind, target: string, there: Kind | null): Landing {
  if (there === "directory") return { directory: target, name: null };
  if (there === null) {
    if (source !== "directory" && meansDirectory(target)) throw new CliError("no such directory");
    return { directory: parentOf(target), name: baseName(target) };
  }
  if (source === "directory") throw new CliError("cannot copy directory");
  if (meansDirectory(target)) throw new CliError("not a directory");
  return { directory: parentOf(target), name: baseName(target) };
}

// ---- the container's side ------------------------------------------------------------------------------------------

interface RemoteStat {
  readonly kind: Kind;
  readonly linkTarget: string;
}

const directoryBit = 2 ** 31;
const symlinkBit = 2 ** 27;

function kindOf(mode: number): Kind {
  if (mode >= directoryBit) return "directory";
  return Math.floor(mode / symlinkBit) % 2 === 1 ? "symlink" : "file";
}

function described(headers: Readonly<Record<string, string>>): RemoteStat {
  const text = decodeBytes(fromBase64(headers["x-docker-container-path-stat"] ?? "") ?? new Uint8Array());
  const { mode, linkTarget } = JSON.parse(text) as { mode: number; linkTarget: string };
  return { kind: kindOf(mode), linkTarget };
}

function archiveOf(container: string): string {
  return `/containers/${segment(container)}/archive`;
}

/** null when nothing is there. Throws when there is no such container. */
async function remoteStat({ client }: CopyCall, { container, path }: Remote): Promise<RemoteStat | null> {
  try {
    return described((await client.open("HEAD", archiveOf(container), { path })).headers);
  } catch (thrown) {
    // A HEAD has no words: the container's own answer tells whether it is the path that is missing.
    await client.get(`/containers/${segment(container)}/json`);
    if (thrown instanceof ApiError && thrown.status === 404) return null;
    throw thrown;
  }
}

async function copyOut(call: CopyCall, from: Remote, target: string): Promise<number> {
  const { client, options, ports } = call;
  if (target === "") throw new CliError("destination can not be empty");
  let path = from.path;
  if (options["follow-link"]) {
    const stat = await remoteStat(call, from);
    if (stat?.kind === "symlink") path = stat.linkTarget;
  }
  const { headers, body } = await client.open("GET", archiveOf(from.container), { path });
  if (target === "-") {
    if (ports.terminal.stdoutIsTty)
      throw new CliError("refusing to write tar archive to a terminal, redirect it or name a file");
    for await (const chunk of body) await ports.terminal.stdout(chunk);
    return 0;
  }
  const trees = treesOf(call);
  const local = ports.files.resolve(target);
  const { directory, name } = landing(
    described(headers).kind,
    withEnding(local, target),
    await trees.kind(local, true),
  );
  const called = name ?? (path === from.path ? null : baseName(from.path));
  const moved = called === null || called === baseName(path) ? null : { from: baseName(path), to: called };
  if ((await trees.kind(directory, true)) !== "directory")
    throw new CliError(`lstat ${directory}: no such file or directory`);
  const counted = counting(body);
  await trees.unpack(counted.bytes, directory, moved);
  await tellDone(call, counted.size(), local);
  return 0;
}

/** A resolved path has lost what its end says. */
function withEnding(resolved: string, asked: string): string {
  return meansDirectory(asked) ? `${resolved}/` : resolved;
}

async function copyIn(call: CopyCall, source: string, to: Remote): Promise<number> {
  const { client, options, ports } = call;
  if (source === "") throw new CliError("source can not be empty");
  const { path, there } = await remoteTarget(call, to);
  const query = { noOverwriteDirNonDir: true, ...(options.archive ? { copyUIDGID: true } : {}) };
  if (source === "-") {
    if (there !== "directory") throw new CliError(`destination "${to.container}:${to.path}" must be a directory`);
    await client.open("PUT", archiveOf(to.container), { path, ...query }, { body: ports.terminal.stdin });
    return 0;
  }
  const trees = treesOf(call);
  const local = ports.files.resolve(source);
  const follow = options["follow-link"] || meansDirectory(source);
  const kind = await trees.kind(local, follow);
  if (kind === null) throw new CliError(`lstat ${local}: no such file or directory`);
  const { directory, name } = landing(kind, path, there);
  const counted = counting(trees.pack(local, name ?? (meansContents(source) ? "." : baseName(source)), follow));
  await client.open("PUT", archiveOf(to.container), { path: directory, ...query }, { body: counted.bytes });
  await tellDone(call, counted.size(), `${to.container}:${to.path}`);
  return 0;
}

/** A symlink is gone through to what it leads to, also when nothing is there. */
async function remoteTarget(call: CopyCall, to: Remote): Promise<{ path: string; there: Kind | null }> {
  const stat = await remoteStat(call, to);
  if (stat?.kind !== "symlink") return { path: to.path, there: stat?.kind ?? null };
  const end = await remoteStat(call, { ...to, path: stat.linkTarget });
  return { path: stat.linkTarget, there: end?.kind ?? null };
}

function counting(bytes: AsyncIterable<Uint8Array>): {
  bytes: AsyncGenerator<Uint8Array, void, undefined>;
  size: () => number;
} {
  let size = 0;
  const counted = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of bytes) {
      size += chunk.length;
      yield chunk;
    }
  };
  return { bytes: counted(), size: () => size };
}

async function tellDone({ options, ports }: CopyCall, size: number, target: string): Promise<void> {
  if (options.quiet || !ports.terminal.stdoutIsTty) return;
  await ports.terminal.stderr(`Successfully copied ${humanSize(size, 3)} to ${target}\n`);
}
