/** The images as the rest of the engine uses them, and what they stand on. */
import type { ContainerId } from "../base/brand.ts";
import type { ByteStream } from "../base/bytes.ts";
import type { Ports } from "../base/ports.ts";
import type { DiffId, Digest, ImageId } from "../image/digest.ts";
import type { Image } from "../image/image.ts";
import type { StoredImage } from "../image/layout.ts";
import type { Platform, Wanted } from "../image/platform.ts";
import type { Images } from "./engine.ts";
import type { Intake } from "./image-intake.ts";
import type { Disk, Layers } from "./machine.ts";

export interface ImagesDependencies {
  readonly disk: Disk;
  readonly layers: Layers;
  readonly ports: Ports;
  /** What to take out of an image for several platforms; linux/amd64 if not given. */
  readonly platform?: Wanted;
  /** The tar of an image that comes with tsbox, null for other names; such a one is loaded at its first `resolve`. */
  readonly embedded?: (name: string) => ByteStream | null;
  /** The containers there are, running or not. */
  readonly users?: () => readonly ImageUser[];
  /** Hears of what was put right: one line for the operator. */
  readonly warn?: (message: string) => void;
  /** Told after the fact: "load", "tag", "untag", "delete", …; `name` as Docker's event has it. */
  readonly emit?: (action: ImageAction, id: ImageId, name: string) => void;
}

export type ImageAction = "load" | "import" | "save" | "tag" | "untag" | "delete";

/** A container, as far as it keeps an image from being removed. */
export interface ImageUser {
  readonly id: ContainerId;
  readonly image: ImageId;
  readonly layers: readonly DiffId[];
  readonly running: boolean;
}

export interface ImageStore extends Images {
  /** As `get`, and an image that comes with tsbox is loaded when its name is not there. */
  resolve(ref: string, platform?: Platform | null): Promise<Image>;
  /** Removes what only a container held on to; to be called when one was removed. Cheap when there is nothing. */
  collect(): Promise<void>;
  /** As the store keeps it: with its manifest, and all its full names. */
  stored(ref: string): Promise<StoredImage>;
  /** The way in for an image that comes from elsewhere. Broken-off pieces are kept so long for another try. */
  intake(options?: { keepSeconds?: number }): Intake;
  hasBlob(digest: Digest): Promise<boolean>;
  blob(digest: Digest, offset?: number, length?: number): ByteStream;
  /** A manifest's, an index's or a configuration's bytes, checked. */
  document(digest: Digest, what: string): Promise<Uint8Array>;
}
