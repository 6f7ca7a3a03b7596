/**
 * What removing an image comes to: which of its names go, and whether the image goes with them. The
 * rules and the words of the conflicts are Docker's (moby: daemon/images/image_delete.go).
 */
import { TsboxError } from "../base/error.ts";
import { hexOf } from "../image/digest.ts";
import type { StoredImage } from "../image/layout.ts";
import { formatReference, parseReference, withDefaultTag } from "../image/reference.ts";
import type { ImageUser } from "./image-store.ts";

export interface Removal {
  /** Full names. */
  readonly untag: readonly string[];
  readonly delete: boolean;
}

/** Throws TsboxError "conflict". `users`: the containers made of this image. */
export function planRemoval(found: StoredImage, ref: string, users: readonly ImageUser[], force: boolean): Removal {
  return isIdOf(found, ref) ? byId(found, users, force) : byName(found, ref, users, force);
}

function isIdOf({ id }: StoredImage, ref: string): boolean {
  return id.startsWith(ref) || hexOf(id).startsWith(ref);
}

/** The name goes; with the last one the image, unless a container runs on it. */
function byName(found: StoredImage, ref: string, users: readonly ImageUser[], force: boolean): Removal {
  const all = [...found.names, ...found.digests];
  const name = nameOf(ref);
  const [user] = users;
  if (user !== undefined && !force && isOneReference(found))
    throw new TsboxError(
      "conflict",
      `conflict: unable to remove repository reference "${ref}" (must force) - ` +
        `container ${short(user.id)} is using its referenced image ${short(hexOf(found.id))}`,
    );
  const untag = [name, ...orphanedDigests(found, name)];
  if (untag.length < all.length) return { untag, delete: false };
  return { untag, delete: !users.some(({ running }) => running) };
}

/** With the last tag of a repository its digests go as well. */
function orphanedDigests({ names, digests }: StoredImage, name: string): string[] {
  const repository = repositoryOf(name);
  const isLastTag = !name.includes("@") && !names.some((other) => other !== name && repositoryOf(other) === repository);
  return isLastTag ? digests.filter((digest) => repositoryOf(digest) === repository) : [];
}

function nameOf(ref: string): string {
  const reference = parseReference(ref);
  return formatReference(reference.digest === null ? withDefaultTag(reference) : { ...reference, tag: null });
}

function repositoryOf(name: string): string {
  return name.includes("@") ? name.slice(0, name.indexOf("@")) : name.slice(0, name.lastIndexOf(":"));
}

function byId(found: StoredImage, users: readonly ImageUser[], force: boolean): Removal {
  const conflict = (how: string, why: string): TsboxError =>
    new TsboxError("conflict", `conflict: unable to delete ${short(hexOf(found.id))} (${how}) - ${why}`);
  const running = users.find((user) => user.running);
  if (running !== undefined)
    throw conflict("cannot be forced", `image is being used by running container ${short(running.id)}`);
  if (!isOneReference(found) && !force)
    throw conflict("must be forced", "image is referenced in multiple repositories");
  const [stopped] = users;
  if (stopped !== undefined && !force)
    throw conflict("must be forced", `image is being used by stopped container ${short(stopped.id)}`);
  return { untag: [...found.names, ...found.digests], delete: true };
}

/** At most one tag, and no digest of another repository. */
function isOneReference({ names, digests }: StoredImage): boolean {
  if (names.length + digests.length <= 1) return true;
  return names.length <= 1 && new Set([...names, ...digests].map(repositoryOf)).size === 1;
}

function short(id: string): string {
  return id.slice(0, 12);
}
