/**
 * How much room images take, shared layers counted once. A layer is one tree on disk however many
 * images are made of it, so it is counted by its diff id.
 */
import type { ImageId } from "./digest.ts";
import type { StoredImage } from "./layout.ts";

export interface ImageUsage {
  readonly id: ImageId;
  /** Bytes of the files in all its layers. */
  readonly size: number;
  /** Bytes of those layers that other images have as well. */
  readonly shared: number;
}

export interface ImagesUsage {
  /** Bytes of the files in all layers, each counted once. */
  readonly layersSize: number;
  readonly images: readonly ImageUsage[];
}

const digits = 64;

export function usageOf(images: readonly StoredImage[]): ImagesUsage {
  const layers = new Map<string, { readonly size: number; owner: ImageId; isShared: boolean }>();
  for (const { id, summary } of images)
    for (const [number, size] of summary.sizes.entries()) {
      const layer = summary.layers.slice(number * digits, (number + 1) * digits);
      const known = layers.get(layer);
      if (known === undefined) layers.set(layer, { size, owner: id, isShared: false });
      else if (known.owner !== id) known.isShared = true;
    }
  return {
    layersSize: [...layers.values()].reduce((sum, { size }) => sum + size, 0),
    images: images.map(({ id, summary }) => {
      const isShared = (number: number): boolean =>
        layers.get(summary.layers.slice(number * digits, (number + 1) * digits))?.isShared === true;
      const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0);
      return { id, size: sum(summary.sizes), shared: sum(summary.sizes.filter((_, number) => isShared(number))) };
    }),
  };
}
