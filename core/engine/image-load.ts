/** `load`: an archive comes in, image by image; each is all in the store or not at all. */
import type { ByteStream } from "../base/bytes.ts";
import type { Ports } from "../base/ports.ts";
import { type ArchiveContents, type ArchivedArtifact, type ArchivedImage, readArchive } from "../image/archive.ts";
import type { ImageId } from "../image/digest.ts";
import type { Image } from "../image/image.ts";
import type { Wanted } from "../image/platform.ts";
import { familiarOf } from "../image/reference.ts";
import { Spool, type Spooled } from "../image/spool.ts";
import type { ImageTable } from "../image/store.ts";
import type { LoadedImage, TakenName } from "./engine.ts";
import type { Intake } from "./image-intake.ts";
import type { Serial } from "./serial.ts";
import { storing } from "./storing.ts";

export interface LoadParts {
  readonly table: ImageTable;
  readonly ports: Ports;
  readonly intake: Intake;
  readonly changes: Serial;
  /** What to take out of an image for several platforms. */
  readonly platform: Wanted;
  /** Told of each image when it is in. */
  readonly loaded: (id: ImageId) => void;
}

/** Closes the intake at its end. */
export async function* loadImages(tar: ByteStream, parts: LoadParts): AsyncGenerator<LoadedImage, void, undefined> {
  try {
    const { images, artifacts } = await storing(() => read(tar, parts));
    for (const archived of images) {
      const taken = takenBy(archived, parts.table);
      const image = await storing(() => admit(archived, parts));
      parts.loaded(image.id);
      yield { image, names: archived.names.map(familiarOf), taken };
    }
    await storing(() => keep(artifacts, parts));
  } finally {
    await parts.intake.close();
  }
}

function read(tar: ByteStream, { ports, intake, platform, table }: LoadParts): Promise<ArchiveContents> {
  const { hasher, inflate } = ports;
  return readArchive(tar, {
    spool: new Spool(hasher, (content, claimed) => intake.file(content, claimed)),
    hasher,
    inflate,
    platform,
    stored: (digest) => table.layout.blobs.document(digest, `blob ${digest}`),
  });
}

/** Names that other images have now, and will lose. */
function takenBy({ names, configDigest }: ArchivedImage, table: ImageTable): TakenName[] {
  return names.flatMap((name) => {
    const from = table.nameHolder(name);
    return from === null || from === configDigest ? [] : [{ name: familiarOf(name), from }];
  });
}

/** All of an image becomes part of the store, or nothing of it. */
async function admit(archived: ArchivedImage, { intake, table }: LoadParts): Promise<Image> {
  const { manifest, manifestBytes, configDigest, configBytes, names, index } = archived;
  for (const layer of archived.layers) await put(layer, intake);
  await intake.put(configDigest, configBytes);
  await intake.put(manifest.digest, manifestBytes);
  if (index !== null) await intake.put(index.digest, index.bytes);
  return table.detail(await intake.commit({ manifest, index: index?.digest ?? null, names }));
}

async function keep(artifacts: readonly ArchivedArtifact[], { intake, changes, table }: LoadParts): Promise<void> {
  for (const { entry, files } of artifacts) {
    for (const file of files) await put(file, intake);
    await changes.run(async () => table.addArtifact(await table.layout.artifact(entry)));
  }
}

async function put({ digest, place }: Spooled, intake: Intake): Promise<void> {
  if (place !== "stored") await intake.put(digest, place);
}
