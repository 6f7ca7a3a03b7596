/**
 * What removing an image comes to: which of its names go, and whether the image goes with them. The
 * rules and the words of the conflicts are Docker's (moby: daemon/images/image_delete.go).
 */
import { TsboxError } from "../base/error.ts";
import { hexOf } from "../image/digest.ts";
import type { StoredImage } from "../image/layout.ts";
import { formatReference, parseReference, withDefaultTag } from "../image/reference.ts";
import type { ImageUser } from "./images.ts";

export interface Removal {
  /** Full names. */
  readonly untag: readonly string[];
  readonly delete: boolean;
}

/** Throws TsboxError "conflict". `users`: the containers made of this image. */
export function planRemoval(found: StoredImage, ref: string, users: readonly ImageUser[], force: boolean): Removal {
  return isIdOf(found, ref) ? byId(found, users, force) : byName(found, ref, users, force);
}

function isIdOf({ image }: StoredImage, ref: string): boolean {
  return image.id.startsWith(ref) || hexOf(image.id).startsWith(ref);
}

/** The name goes; with the last one the image, unless a container runs on it. */
function byName(found: StoredImage, ref: string, users: readonly ImageUser[], force: boolean): Removal {
  const name = formatReference(withDefaultTag(parseReference(ref)));
  if (found.names.length > 1) return { untag: [name], delete: false };
  const [user] = users;
  if (user !== undefined && !force)
    throw new TsboxError(
      "conflict",
      `conflict: unable to remove repository reference "${ref}" (must force) - ` +
        `container ${short(user.id)} is using its referenced image ${short(hexOf(found.image.id))}`,
    );
  return { untag: [name], delete: !users.some(({ running }) => running) };
}

function byId(found: StoredImage, users: readonly ImageUser[], force: boolean): Removal {
  const conflict = (how: string, why: string): TsboxError =>
    new TsboxError("conflict", `conflict: unable to delete ${short(hexOf(found.image.id))} (${how}) - ${why}`);
  const running = users.find((user) => user.running);
  if (running !== undefined)
    throw conflict("cannot be forced", `image is being used by running container ${short(running.id)}`);
  if (repositories(found) > 1 && !force)
    throw conflict("must be forced", "image is referenced in multiple repositories");
  const [stopped] = users;
  if (stopped !== undefined && !force)
    throw conflict("must be forced", `image is being used by stopped container ${short(stopped.id)}`);
  return { untag: found.names, delete: true };
}

function repositories({ names }: StoredImage): number {
  return new Set(names.map((name) => name.slice(0, name.lastIndexOf(":")))).size;
}

function short(id: string): string {
  return id.slice(0, 12);
}
