/** `registry tags`: which tags a repository has at its registry. */
import { command } from "../command.ts";
import { Logins } from "../docker-config.ts";

export default command({
  usage: "REPOSITORY",
  summary: "List the tags of a repository at its registry",
  flags: {},
  min: 1,
  max: 1,
  perform: async ({ args: [name = ""], client, ports }) => {
    const headers = await new Logins(ports).headerFor(name);
    const answer = await client.open("GET", "/tsbox/v1/registry/tags", { name }, { headers });
    const tags = await client.json<string[]>(answer);
    await ports.terminal.stdout(tags.map((each) => `${each}\n`).join(""));
    return 0;
  },
});
