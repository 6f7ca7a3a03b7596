/** `rm`: removes containers. */
import { segment } from "../client.ts";
import { command, forEachArgument } from "../command.ts";
import { ApiError } from "../errors.ts";
import { flag } from "../flags.ts";

export default command({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Remove one or more containers",
  flags: {
    force: flag.bool("f", "Force the removal of a running container (uses SIGKILL)"),
    link: flag.bool("l", "Remove the specified link"),
    volumes: flag.bool("v", "Remove anonymous volumes associated with the container"),
  },
  min: 1,
  max: Number.POSITIVE_INFINITY,
  perform: async (call) => {
    const { options, client, ports } = call;
    const query = { force: options.force, link: options.link, v: options.volumes };
    return forEachArgument(call, async (container) => {
      try {
        // Names of containers may be written with their slash.
        await client.delete(`/containers/${segment(container.replace(/^\/+/, ""))}`, query);
        return container;
      } catch (thrown) {
        // Forced, what is not there is said but is no failure.
        if (!options.force || !(thrown instanceof ApiError) || thrown.status !== 404) throw thrown;
        await ports.terminal.stderr(`${thrown.message}\n`);
        return null;
      }
    });
  },
});
