/** `registry rm`: removes images from their registries, where these allow it. */
import { command } from "../command.ts";
import { Logins } from "../docker-config.ts";

export default command({
  usage: "IMAGE [IMAGE...]",
  summary: "Remove images from their registries, with all tags that point at them there",
  flags: {},
  min: 1,
  max: Number.POSITIVE_INFINITY,
  perform: async ({ args, client, ports }) => {
    for (const name of args) {
      const headers = await new Logins(ports).headerFor(name);
      const answer = await client.open("DELETE", "/tsbox/v1/registry/manifest", { name }, { headers });
      const { digest } = await client.json<{ digest: string }>(answer);
      await ports.terminal.stdout(`${digest}\n`);
    }
    return 0;
  },
});
