/** `registry manifest`: what a name points at in its registry, without a pull. */
import { command } from "../command.ts";
import { Logins } from "../docker-config.ts";
import { flag } from "../flags.ts";
import { indentJson } from "../format/json.ts";
import { formatObject } from "../format/object.ts";
import type { ManifestAtRegistry } from "../wire.ts";

export default command({
  usage: "[OPTIONS] IMAGE",
  summary: "Show the manifest or index that an image's name points at in its registry",
  flags: {
    format: flag.text("f", "Format with a template over MediaType, Digest, Size and Manifest"),
    raw: flag.bool(null, "Print the very bytes, whose SHA-256 is the digest"),
  },
  min: 1,
  max: 1,
  perform: async ({ options, args: [name = ""], client, ports }) => {
    const headers = await new Logins(ports).headerFor(name);
    const answer = await client.open("GET", "/tsbox/v1/registry/manifest", { name }, { headers });
    await ports.terminal.stdout(shown(await client.json<ManifestAtRegistry>(answer), options));
    return 0;
  },
});

function shown(found: ManifestAtRegistry, { format, raw }: { readonly format: string; readonly raw: boolean }): string {
  const { mediaType, digest, size, manifest } = found;
  if (raw) return manifest;
  if (format === "") return `${indentJson(manifest)}\n`;
  const value = { MediaType: mediaType, Digest: digest, Size: size, Manifest: JSON.parse(manifest) as unknown };
  return formatObject(value, format);
}
