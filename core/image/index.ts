/**
 * An index lists manifests: of one image for several platforms, or of all images in a layout
 * (OCI image-spec, image-index.md and image-layout.md).
 */
import { encodeText } from "../base/bytes.ts";
import {
  asArray,
  corrupt,
  type Descriptor,
  type JsonObject,
  mediaTypes,
  parseDescriptor,
  parseJson,
} from "./descriptor.ts";

/** Names an image in a layout's index (OCI image-spec, annotations.md). */
export const refNameAnnotation = "org.opencontainers.image.ref.name";
/** The full name, as containerd, BuildKit and docker save write it. */
export const imageNameAnnotation = "io.containerd.image.name";

export const layoutFile = encodeText(JSON.stringify({ imageLayoutVersion: "1.0.0" }));

/** An entry of an index, and as it stands there: what is not known is kept. */
export interface IndexEntry {
  readonly descriptor: Descriptor;
  readonly json: JsonObject;
}

/** `what` names the index in errors. Throws TsboxError "corrupt" naming the field that is wrong. */
export function parseIndex(bytes: Uint8Array, what: string, bytesMax?: number): readonly IndexEntry[] {
  const { schemaVersion, manifests } = parseJson(bytes, what, bytesMax);
  if (schemaVersion !== 2) throw corrupt(`${what}: schemaVersion is ${JSON.stringify(schemaVersion)}, expected 2`);
  return asArray(manifests, `${what}: manifests`).map((json, number) => ({
    descriptor: parseDescriptor(json, `${what}: manifest ${number}`),
    json: json as JsonObject,
  }));
}

export function formatIndex(manifests: readonly (Descriptor | JsonObject)[]): Uint8Array<ArrayBuffer> {
  return encodeText(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests }));
}

/** Checks the layout's own file. Throws TsboxError "corrupt" for a version that is not 1. */
export function checkLayout(bytes: Uint8Array): void {
  const { imageLayoutVersion } = parseJson(bytes, "oci-layout");
  if (!/^1\.\d+\.\d+$/.test(String(imageLayoutVersion)))
    throw corrupt(`oci-layout: imageLayoutVersion is ${JSON.stringify(imageLayoutVersion)}, expected 1.0.0`);
}
