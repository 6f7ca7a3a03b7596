/** What `stop` and `restart` share: the stop signal, some seconds of patience, then SIGKILL. */
import { segment } from "./client.ts";
import { type Command, command, forEachArgument } from "./command.ts";
import { flag } from "./flags.ts";

export function stopping(verb: "stop" | "restart", summary: string): Command {
  return command({
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    summary,
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
        await client.post(`/containers/${segment(container)}/${verb}`, query);
        return container;
      });
    },
  });
}
