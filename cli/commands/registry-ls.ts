/** `registry ls`: which repositories a registry has, as far as it tells. */
import { command } from "../command.ts";
import { header, Logins, serverNamed } from "../docker-config.ts";

export default command({
  usage: "HOST",
  summary: "List the repositories of a registry",
  flags: {},
  min: 1,
  max: 1,
  perform: async ({ args: [host = ""], client, ports }) => {
    const headers = header(await new Logins(ports).get(serverNamed(host)));
    const answer = await client.open("GET", "/tsbox/v1/registry/repositories", { host }, { headers });
    const repositories = await client.json<string[]>(answer);
    await ports.terminal.stdout(repositories.map((each) => `${each}\n`).join(""));
    return 0;
  },
});
