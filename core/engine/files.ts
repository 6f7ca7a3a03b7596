/**
 * Files of a container, in and out, as `docker cp` wants them (moby: daemon/archive_unix.go), and the filling of new
 * volumes. A container that runs is looked into where it stands. The layers of another are put together meanwhile, and
 * it is not started before that has ended.
 */
import type { ByteStream } from "../base/bytes.ts";
import { Errno, errnoText } from "../base/errno.ts";
import { TsboxError } from "../base/error.ts";
import type { ContainerRecord, MountPoint } from "../container/record.ts";
import { isUp } from "../container/state.ts";
import { decompressed } from "../image/compression.ts";
import { entriesOfTar, tarOfChanges } from "../image/layer.ts";
import { namedEntries } from "../image/renamed.ts";
import type { Mount } from "../runtime/mount.ts";
import { viewOfRunning, viewOfStill } from "../runtime/view.ts";
import type { Entry } from "../unionfs/change.ts";
import type { Context } from "./context.ts";
import type { Archive, PathStat, WriteOptions } from "./engine.ts";
import type { Live } from "./live.ts";
import type { ContainerFiles, TreeStat } from "./machine.ts";
import { lowersOf, userOf } from "./plan-for.ts";
import { resolveMounts } from "./mounts.ts";

/** Throws not-found when there is nothing. */
export async function statPath(context: Context, live: Live, path: string): Promise<PathStat> {
  return held(context, live, (files) => stated(files, live.record, path));
}

/** The thing and all in it, as a tar whose names begin with the thing's own. Throws not-found before the first byte. */
export async function readArchive(context: Context, live: Live, path: string): Promise<Archive> {
  const first = Promise.withResolvers<Archive>();
  const done = Promise.withResolvers<void>();
  held(context, live, async (files) => {
    const stat = await stated(files, live.record, path);
    first.resolve({ stat, tar: ending(tarOfChanges(namedEntries(files.read(asked(path)), stat.name)), done.resolve) });
    await done.promise;
  }).catch(first.reject);
  return first.promise;
}

/** Tells when the last byte was taken, or nobody wants more. */
async function* ending(bytes: ByteStream, done: () => void): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* bytes;
  } finally {
    done();
  }
}

/** Unpacks a tar in a directory of the container. */
export async function writeArchive(
  context: Context,
  live: Live,
  path: string,
  tar: ByteStream,
  { keepsKinds, asUser }: WriteOptions,
): Promise<void> {
  const { record } = live;
  const owner =
    asUser && record.config.user !== ""
      ? await userOf(context, record, record.config.user, record.hostConfig.groupAdd)
      : null;
  await held(context, live, async (files) => {
    const { kind } = await lookedUp(files, record, `${asked(path)}/.`, path);
    if (kind !== "directory") throw new TsboxError("invalid", "extraction point is not a directory");
    const entries = entriesOfTar(decompressed(tar, context.ports.inflate, "the archive"), "the archive");
    try {
      await files.write(asked(path), owner === null ? entries : ownedBy(entries, owner), { keepsKinds });
    } catch (thrown) {
      throw writeError(thrown, record, path);
    }
  });
}

async function* ownedBy(
  entries: AsyncIterable<Entry>,
  { uid, gid }: { readonly uid: number; readonly gid: number },
): AsyncGenerator<Entry, void, undefined> {
  for await (const entry of entries)
    yield entry.kind === "hardlink" ? entry : { ...entry, meta: { ...entry.meta, uid, gid } };
}

function writeError(thrown: unknown, { mounts }: ContainerRecord, directory: string): unknown {
  if (!(thrown instanceof Errno)) return thrown;
  const { errno, path } = thrown;
  const isIn = (target: string): boolean => `${joined("/", directory)}/`.startsWith(`${target}/`);
  const place = mounts.some(({ target }) => isIn(target)) ? "mounted volume" : "container rootfs";
  if (errno === "EROFS") return new TsboxError("forbidden", `${place} is marked read-only`);
  if (errno === "EISDIR") return new TsboxError("invalid", `cannot overwrite directory "/${path}" with non-directory`);
  if (errno === "ENOTDIR") return new TsboxError("invalid", `cannot overwrite non-directory "/${path}" with directory`);
  return new TsboxError("failed", `${path}: ${errnoText(errno).toLowerCase()}`, { errno, path }, { cause: thrown });
}

/** Calls `act` with the container's files; one that does not run stays so until it has resolved. */
async function held<T>(context: Context, live: Live, act: (files: ContainerFiles) => Promise<T>): Promise<T> {
  const { plan } = live.record;
  if (isUp(live.record.state) && plan !== null) return act(context.machine.files(viewOfRunning(live.record.id, plan)));
  return live.serial.run(async () => {
    const { record } = live;
    const mounts = await resolveMounts(context, record);
    return act(still(context, record, { mounts, readonly: record.hostConfig.readonlyRootfs }));
  });
}

function still(
  { machine }: Context,
  record: ContainerRecord,
  put: { readonly mounts: readonly Mount[]; readonly readonly: boolean },
): ContainerFiles {
  const { layers, traits } = machine;
  const root = layers.overlay(record.id, lowersOf(record));
  const ownUsers = record.hostConfig.usernsMode === "private";
  return machine.files(viewOfStill({ root, traits, ownUsers, ...put }));
}

// ---- paths ---------------------------------------------------------------------------------------------------------

/** As the machine is asked: absolute. */
function asked(path: string): string {
  return path.startsWith("/") ? path : `/${path}`;
}

/** The last component: what the thing is called by who asks. "." when that is a directory's own name for itself. */
function nameOf(path: string): string {
  return path.replace(/\/+$/, "").split("/").at(-1) || "/";
}

async function lookedUp(
  files: ContainerFiles,
  record: ContainerRecord,
  path: string,
  shown: string,
): Promise<TreeStat> {
  try {
    return await files.stat(path);
  } catch (thrown) {
    if (thrown instanceof Errno && ["ENOENT", "ENOTDIR"].includes(thrown.errno))
      throw new TsboxError("not-found", `Could not find the file ${shown} in container ${record.name}`);
    throw thrown;
  }
}

async function stated(files: ContainerFiles, record: ContainerRecord, path: string): Promise<PathStat> {
  const stat = await lookedUp(files, record, asked(path), path);
  return { ...stat, name: nameOf(path), target: stat.kind === "symlink" ? await endOf(files, path, stat) : "" };
}

const symlinksMax = 40;

/** Where a symlink leads to in the end, absolute; also when nothing is there. */
async function endOf(files: ContainerFiles, path: string, link: TreeStat): Promise<string> {
  let [at, stat] = [asked(path), link];
  for (let hops = 0; stat.kind === "symlink" && hops < symlinksMax; hops++) {
    at = joined(stat.target.startsWith("/") ? "/" : at.slice(0, at.lastIndexOf("/") + 1), stat.target);
    const next = await files.stat(at).catch(() => null);
    if (next === null) break;
    stat = next;
  }
  return at;
}

/** Without ".", ".." and doubled slashes. */
function joined(directory: string, path: string): string {
  const parts: string[] = [];
  for (const part of `${directory}/${path}`.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

// ---- volumes -------------------------------------------------------------------------------------------------------

/** A volume in which nothing is yet begins with what the image has in its place (moby: daemon/volumes_unix.go). */
export async function fillVolumes(context: Context, record: ContainerRecord): Promise<void> {
  for (const point of record.mounts) {
    if (point.kind !== "volume" || point.mode.split(",").includes("nocopy")) continue;
    if ((await context.machine.disk.list(point.source)).length > 0) continue;
    await fillVolume(context, record, point);
  }
}

async function fillVolume(context: Context, record: ContainerRecord, point: MountPoint): Promise<void> {
  const image = still(context, record, { mounts: [], readonly: false });
  const kind = await image.stat(`${point.target}/.`).then(
    (stat) => stat.kind,
    (thrown: unknown) => {
      if (thrown instanceof Errno && ["ENOENT", "ENOTDIR"].includes(thrown.errno)) return null;
      throw thrown;
    },
  );
  if (kind !== "directory") return;
  const volume = still(context, record, { mounts: [mountOf(point)], readonly: false });
  await volume.write(point.target, image.read(`${point.target}/.`));
}

function mountOf({ source, target }: MountPoint): Mount {
  return {
    kind: "volume",
    source,
    target,
    readonly: false,
    recursive: false,
    propagation: "",
    isFile: false,
    options: "",
  };
}
