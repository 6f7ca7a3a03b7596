/** `wait`: blocks until containers stopped, prints their exit codes. */
import { command, forEachArgument } from "../command.ts";
import { whenOver } from "../wait.ts";

export default command({
  usage: "CONTAINER [CONTAINER...]",
  summary: "Block until one or more containers stop, then print their exit codes",
  flags: {},
  min: 1,
  max: Number.POSITIVE_INFINITY,
  perform: (call) =>
    forEachArgument(call, async (container) => {
      const over = await whenOver(call.client, container, "not-running");
      return String(await over());
    }),
});
