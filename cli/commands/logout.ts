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
    await ports.terminal.stdout(`Removing login credentials for ${server}\n`);
    await new Logins(ports).erase(server);
    return 0;
  },
});
