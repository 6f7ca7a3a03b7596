/** `kill`: sends a signal, SIGKILL unless told otherwise. */
import { segment } from "../client.ts";
import { command, forEachArgument } from "../command.ts";
import { flag } from "../flags.ts";

export default command({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Kill one or more running containers",
  flags: { signal: flag.text("s", "Signal to send to the container") },
  min: 1,
  max: Number.POSITIVE_INFINITY,
  perform: (call) =>
    forEachArgument(call, async (container) => {
      const signal = call.options.signal || undefined;
      await call.client.post(`/containers/${segment(container)}/kill`, { signal });
      return container;
    }),
});
