/**
 * The images that the blobs tell of by themselves, for a store whose index is damaged: each image
 * manifest of which every part is here. What they were called stood in the index only.
 */
import type { Blobs } from "./blobs.ts";
import { type Descriptor, jsonBytesMax, mediaTypes, parseJson } from "./descriptor.ts";
import type { Digest } from "./digest.ts";
import { isImageManifest, partsOf } from "./manifest.ts";

const openingBrace = 0x7b;

/** Sorted by digest. */
export async function foundManifests(blobs: Blobs): Promise<Descriptor[]> {
  const found: Descriptor[] = [];
  for (const digest of (await blobs.list()).toSorted()) {
    const manifest = await manifestIn(blobs, digest).catch(() => null); // what cannot be read is no image
    if (manifest !== null) found.push(manifest);
  }
  return found;
}

async function manifestIn(blobs: Blobs, digest: Digest): Promise<Descriptor | null> {
  const size = await blobs.size(digest);
  if (size === null || size > jsonBytesMax || !(await isObject(blobs, digest))) return null;
  const bytes = await blobs.document(digest, digest);
  const { schemaVersion, mediaType, config, layers } = parseJson(bytes, digest);
  if (schemaVersion !== 2 || config === undefined || layers === undefined || !isImageManifest(bytes, digest))
    return null;
  for (const part of partsOf(bytes, digest)) if ((await blobs.size(part.digest)) !== part.size) return null;
  return { mediaType: typeof mediaType === "string" ? mediaType : mediaTypes.manifest, digest, size };
}

/** Most blobs are layers: a look at the first byte spares reading them. */
async function isObject(blobs: Blobs, digest: Digest): Promise<boolean> {
  for await (const chunk of blobs.stream(digest, 0, 1)) return chunk[0] === openingBrace;
  return false;
}
