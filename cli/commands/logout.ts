/** `logout`: forgets the login at a registry. */
import { command } from "../command.ts";
import { Logins, serverNamed } from "../docker-config.ts";

export default command({
  usage: "[SERVER]",
  summary: "Log out from a registry",
  flags: {},
  min: 0,
  max: 1,
  perform: async ({ args: [named = ""], ports }) => {
    const server = serverNamed(named);
    const wasThere = await new Logins(ports).erase(server);
    await ports.terminal.stdout(`${wasThere ? "Removing login credentials for" : "Not logged in to"} ${server}\n`);
    return 0;
  },
});
