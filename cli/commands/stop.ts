/** `stop`: the stop signal, some seconds of patience, then SIGKILL. */
import { segment } from "../client.ts";
import { command, forEachArgument } from "../command.ts";
import { flag } from "../flags.ts";

export default command({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Stop one or more running containers",
  flags: {
    signal: flag.text("s", "Signal to send to the container"),
    timeout: flag.integer("t", "Seconds to wait before killing the container"),
  },
  min: 1,
  max: Number.POSITIVE_INFINITY,
  perform: (call) => {
    const { options, given, client } = call;
    const query = { signal: options.signal || undefined, t: given.has("timeout") ? options.timeout : undefined };
    return forEachArgument(call, async (container) => {
      await client.post(`/containers/${segment(container)}/stop`, query);
      return container;
    });
  },
});
