/** `unpause`: thaws containers. */
import { segment } from "../client.ts";
import { command, forEachArgument } from "../command.ts";

export default command({
  usage: "CONTAINER [CONTAINER...]",
  summary: "Unpause all processes within one or more containers",
  flags: {},
  min: 1,
  max: Number.POSITIVE_INFINITY,
  perform: (call) =>
    forEachArgument(call, async (container) => {
      await call.client.post(`/containers/${segment(container)}/unpause`);
      return container;
    }),
});
