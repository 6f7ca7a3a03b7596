/** `registry referrers`: what else in the registry is about an image: signatures, attestations. */
import { command } from "../command.ts";
import { Logins } from "../docker-config.ts";
import { flag } from "../flags.ts";
import { formatList } from "../format/list.ts";
import type { Referrer } from "../wire.ts";

const headings = { Digest: "DIGEST", ArtifactType: "ARTIFACT TYPE" };

export default command({
  usage: "[OPTIONS] IMAGE",
  summary: "List what refers to an image at its registry: signatures, attestations",
  flags: {
    format: flag.text(null, "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or 'TEMPLATE'"),
  },
  min: 1,
  max: 1,
  perform: async ({ options, args: [name = ""], client, ports }) => {
    const headers = await new Logins(ports).headerFor(name);
    const answer = await client.open("GET", "/tsbox/v1/registry/referrers", { name }, { headers });
    const rows = (await client.json<Referrer[]>(answer)).map(({ digest, artifactType }) => ({
      Digest: digest,
      ArtifactType: artifactType,
    }));
    const list = { headings, columns: ["Digest", "ArtifactType"], rows, type: "*registry.referrerContext" };
    await ports.terminal.stdout(formatList(list, options.format));
    return 0;
  },
});
