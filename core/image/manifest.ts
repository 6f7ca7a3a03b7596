/** A manifest says which configuration and which layers make one image (OCI image-spec, manifest.md). */
import {
  asArray,
  asText,
  corrupt,
  type Descriptor,
  isConfigType,
  isManifestType,
  mediaTypes,
  parseDescriptor,
  parseJson,
} from "./descriptor.ts";
import { encodeText } from "../base/bytes.ts";

export interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** `what` names the manifest in errors. Throws TsboxError "corrupt" naming the field that is wrong. */
export function parseManifest(bytes: Uint8Array, what: string): Manifest {
  const { schemaVersion, mediaType, config, layers } = parseJson(bytes, what);
  if (schemaVersion !== 2) throw corrupt(`${what}: schemaVersion is ${JSON.stringify(schemaVersion)}, expected 2`);
  if (mediaType !== undefined && !isManifestType(asText(mediaType, `${what}: mediaType`)))
    throw corrupt(`${what}: mediaType ${JSON.stringify(mediaType)} is not an image manifest's`);
  const descriptor = parseDescriptor(config, `${what}: config`);
  if (!isConfigType(descriptor.mediaType))
    throw corrupt(`${what}: its config is ${JSON.stringify(descriptor.mediaType)}, not an image configuration`);
  return {
    config: descriptor,
    layers: asArray(layers, `${what}: layers`).map((layer, number) =>
      parseDescriptor(layer, `${what}: layer ${number}`),
    ),
  };
}

/** The bytes of a manifest of our own, equal for equal content. */
export function formatManifest({ config, layers }: Manifest): Uint8Array<ArrayBuffer> {
  const bare = ({ mediaType, digest, size }: Descriptor): Descriptor => ({ mediaType, digest, size });
  return encodeText(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: bare(config),
      layers: layers.map(bare),
    }),
  );
}
