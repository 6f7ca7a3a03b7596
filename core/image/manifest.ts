/** A manifest says which configuration and which layers make one image (OCI image-spec, manifest.md). */
import {
  asArray,
  asText,
  asTexts,
  bare,
  corrupt,
  type Descriptor,
  isConfigType,
  isManifestType,
  mediaTypes,
  parseDescriptor,
  parseJson,
} from "./descriptor.ts";
import { encodeText } from "../base/bytes.ts";
import { TsboxError } from "../base/error.ts";

export interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly annotations?: Readonly<Record<string, string>>;
  /** The manifest that this one says something about: a signature's, an attestation's image. */
  readonly subject?: Descriptor;
  readonly artifactType?: string;
}

/** `what` names the manifest in errors. Throws TsboxError "corrupt" naming the field that is wrong. */
export function parseManifest(bytes: Uint8Array, what: string): Manifest {
  const { schemaVersion, mediaType, config, layers, annotations, subject, artifactType } = parseJson(bytes, what);
  if (schemaVersion !== 2) throw corrupt(`${what}: schemaVersion is ${JSON.stringify(schemaVersion)}, expected 2`);
  if (mediaType !== undefined && !isManifestType(asText(mediaType, `${what}: mediaType`)))
    throw corrupt(`${what}: mediaType ${JSON.stringify(mediaType)} is not an image manifest's`);
  const descriptor = parseDescriptor(config, `${what}: config`);
  if (!isConfigType(descriptor.mediaType))
    throw new TsboxError(
      "unsupported",
      `${what}: its config is ${JSON.stringify(descriptor.mediaType)}, not an image configuration`,
    );
  return {
    config: descriptor,
    layers: asArray(layers, `${what}: layers`).map((layer, number) =>
      parseDescriptor(layer, `${what}: layer ${number}`),
    ),
    ...(annotations === undefined || annotations === null
      ? {}
      : { annotations: asTexts(annotations, `${what}: annotations`) }),
    ...(subject === undefined || subject === null ? {} : { subject: parseDescriptor(subject, `${what}: subject`) }),
    ...(artifactType === undefined ? {} : { artifactType: asText(artifactType, `${what}: artifactType`) }),
  };
}

/** The bytes of a manifest of our own, equal for equal content. */
export function formatManifest({ config, layers }: Pick<Manifest, "config" | "layers">): Uint8Array<ArrayBuffer> {
  return encodeText(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: bare(config),
      layers: layers.map(bare),
    }),
  );
}

/** Whether it is an image's: what is no image (a chart, a signature) has a configuration of another type, or none. */
export function isImageManifest(bytes: Uint8Array, what: string): boolean {
  const { config } = parseJson(bytes, what);
  const type = typeof config === "object" && config !== null && "mediaType" in config ? config.mediaType : undefined;
  return typeof type !== "string" || isConfigType(type);
}

/** The blobs an artifact's manifest, or an index, lists. */
export function partsOf(bytes: Uint8Array, what: string): Descriptor[] {
  const { config, layers, manifests } = parseJson(bytes, what);
  const parts = [config, layers, manifests].flat().filter((part) => part !== undefined && part !== null);
  return parts.map((part) => parseDescriptor(part, what));
}
