/** `save`: images as one archive, in Docker's layout and OCI's at once. What it reads is held until it is read. */
import type { ByteStream } from "../base/bytes.ts";
import { TsboxError } from "../base/error.ts";
import { type SavedBlob, type SavedImage, writeArchive } from "../image/archive-write.ts";
import type { Digest, ImageId } from "../image/digest.ts";
import { blobsOf, type StoredImage } from "../image/layout.ts";
import { formatReference, type Reference, tryParseReference } from "../image/reference.ts";
import type { ImageTable } from "../image/store.ts";
import { layerBlobsOf } from "../image/summary.ts";
import type { Intake } from "./image-intake.ts";

/** Throws not-found before the first byte when one of the refs is no image. */
export async function saveImages(
  table: ImageTable,
  refs: readonly string[],
  intake: Intake,
): Promise<{ readonly ids: readonly ImageId[]; readonly archive: ByteStream }> {
  const wanted = new Map<ImageId, { stored: StoredImage; names: Set<string> }>();
  for (const ref of refs) {
    for (const { stored, name } of selected(table, ref)) {
      const known = wanted.get(stored.id) ?? { stored, names: new Set<string>() };
      if (name !== null) known.names.add(name);
      wanted.set(stored.id, known);
    }
  }
  const images = [...wanted.values()].map(({ stored, names }) => savedImage(stored, [...names].toSorted()));
  const sorted = images.toSorted((one, other) => (one.id < other.id ? -1 : 1));
  const digests = new Set([...wanted.values()].flatMap(({ stored }) => blobsOf({ ...stored, index: null })));
  const blobs: SavedBlob[] = [];
  for (const digest of digests) blobs.push(await savedBlob(table, digest, intake));
  return { ids: [...wanted.keys()], archive: closing(writeArchive(sorted, blobs), intake) };
}

/** A repository without a tag means all its tags; a name only itself; an id no name at all (moby: image/tarexport). */
function selected(table: ImageTable, ref: string): { stored: StoredImage; name: string | null }[] {
  const reference = tryParseReference(ref);
  if (reference !== null && reference.tag === null && reference.digest === null) {
    const repository = formatReference(reference);
    const tagged = table.list().flatMap((stored) => {
      const own = stored.names.filter((name) => name.slice(0, name.lastIndexOf(":")) === repository);
      return own.map((name) => ({ stored, name }));
    });
    if (tagged.length > 0) return tagged;
  }
  const stored = found(table, ref, reference);
  return [{ stored, name: reference === null ? null : nameIn(stored, reference) }];
}

/** Docker's save has its own words for what is missing. */
function found(table: ImageTable, ref: string, reference: Reference | null): StoredImage {
  try {
    return table.find(ref);
  } catch (thrown) {
    if (!(thrown instanceof TsboxError) || thrown.code !== "not-found") throw thrown;
    const isBare = reference === null || (reference.tag === null && reference.digest === null);
    const message = isBare ? `No such image: ${ref}` : "reference does not exist";
    throw new TsboxError("not-found", message, { ref }, { cause: thrown });
  }
}

function nameIn({ names }: StoredImage, reference: Reference): string | null {
  const name = formatReference(reference);
  return names.includes(name) ? name : null;
}

function savedImage({ id, manifest, summary }: StoredImage, names: readonly string[]): SavedImage {
  return { id, manifest, names, layers: layerBlobsOf(summary) };
}

async function savedBlob(table: ImageTable, digest: Digest, intake: Intake): Promise<SavedBlob> {
  const { blobs } = table.layout;
  const size = (await intake.has(digest)) ? await blobs.size(digest) : null;
  if (size === null)
    throw new TsboxError("corrupt", `blob ${digest} is missing; tsbox system check says what to do`, { digest });
  return { digest, size, content: blobs.stream(digest) };
}

async function* closing(archive: ByteStream, intake: Intake): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* archive;
  } finally {
    await intake.close();
  }
}
