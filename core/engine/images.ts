/** The images of the machine: load, find, tag, remove, in Docker's words (moby: daemon/images). */
import type { ContainerId } from "../base/brand.ts";
import type { ByteStream } from "../base/bytes.ts";
import { TsboxError } from "../base/error.ts";
import type { Ports } from "../base/ports.ts";
import type { DiffId, ImageId } from "../image/digest.ts";
import type { Image } from "../image/image.ts";
import type { Images } from "./engine.ts";
import type { Disk, Layers } from "./machine.ts";

export interface ImagesDependencies {
  readonly disk: Disk;
  readonly layers: Layers;
  readonly ports: Ports;
  /** The architecture to take out of an image for several; "amd64" if not given. */
  readonly architecture?: string;
  /** The tar of an image that comes with tsbox, null for other names; such a one is loaded at its first `resolve`. */
  readonly embedded?: (name: string) => ByteStream | null;
  /** The containers there are, running or not. */
  readonly users?: () => readonly ImageUser[];
  /** Told after the fact: "load", "tag", "untag", "delete"; `name` as Docker's event has it. */
  readonly emit?: (action: ImageAction, id: ImageId, name: string) => void;
}

export type ImageAction = "load" | "tag" | "untag" | "delete";

/** A container, as far as it keeps an image from being removed. */
export interface ImageUser {
  readonly id: ContainerId;
  readonly image: ImageId;
  readonly layers: readonly DiffId[];
  readonly running: boolean;
}

export interface ImageStore extends Images {
  /** As `get`, and an image that comes with tsbox is loaded when its name is not there. */
  resolve(ref: string): Promise<Image>;
  /** Removes the layers that only a container held on to; to be called when one was removed. Cheap when there are none. */
  collect(): Promise<void>;
}

/** Opens the images under the data root; what an unfinished load left behind goes away. */
export function openImages(_dependencies: ImagesDependencies): Promise<ImageStore> {
  return Promise.reject(new TsboxError("unavailable", "the images are not there yet"));
}
