/** Logins and what registries answer, in Docker's shapes (moby: api/types/registry). */
import * as v from "valibot";
import { fromBase64 } from "../../core/base/base64.ts";
import { decodeBytes } from "../../core/base/bytes.ts";
import type { RemoteImage } from "../../core/engine/registry.ts";
import type { SearchResult } from "../../core/image/registry/client.ts";
import { anonymous, type Credentials } from "../../core/image/registry/credentials.ts";
import type { RemoteManifest } from "../../core/image/registry/repository.ts";
import { part, text } from "./schema.ts";

export const authSchema = part({
  username: text,
  password: text,
  auth: text,
  serveraddress: text,
  identitytoken: text,
  registrytoken: text,
});

type WireAuth = v.InferOutput<typeof authSchema>;

/** `auth` is "name:password" in base64, as config.json has it. */
export function credentialsOf({ username, password, auth, identitytoken, registrytoken }: WireAuth): Credentials {
  const bytes = auth === "" ? null : fromBase64(auth);
  const [, name = username, secret = password] =
    bytes === null ? [] : (/^([^:]*):(.*)$/s.exec(decodeBytes(bytes)) ?? []);
  return { username: name, password: secret, identityToken: identitytoken, registryToken: registrytoken };
}

/** X-Registry-Auth: base64 of JSON. As in Docker, a login that cannot be read is none: the registry will say what it wants. */
export function credentialsHeader(header: string | undefined): Credentials {
  const bytes = header === undefined ? null : fromBase64(header);
  if (bytes === null) return anonymous;
  try {
    const parsed = v.safeParse(authSchema, JSON.parse(decodeBytes(bytes)));
    return parsed.success ? credentialsOf(parsed.output) : anonymous;
  } catch {
    return anonymous;
  }
}

export function searchResults(results: readonly SearchResult[]): object[] {
  return results.map(({ name, description, stars, official, automated }) => ({
    star_count: stars,
    is_official: official,
    name,
    is_automated: automated,
    description,
  }));
}

export function distributionInspect({ descriptor, platforms }: RemoteImage): object {
  const { mediaType, digest, size } = descriptor;
  return {
    Descriptor: { mediaType, digest, size },
    Platforms: platforms.map(({ architecture, os, variant }) => ({
      architecture,
      os,
      ...(variant === "" ? {} : { variant }),
    })),
  };
}

/** `manifest` is its text, byte by byte as the digest has it. */
export function manifestToWire({ mediaType, digest, bytes }: RemoteManifest) {
  return { mediaType, digest, size: bytes.length, manifest: decodeBytes(bytes) };
}
