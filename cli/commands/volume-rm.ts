/** `volume rm`: removes volumes and all that is in them. */
import { segment } from "../client.ts";
import { command, forEachArgument } from "../command.ts";
import { flag } from "../flags.ts";

export default command({
  usage: "[OPTIONS] VOLUME [VOLUME...]",
  summary: "Remove one or more volumes. You cannot remove a volume that is in use by a container.",
  flags: { force: flag.bool("f", "Force the removal of one or more volumes") },
  min: 1,
  max: Number.POSITIVE_INFINITY,
  perform: (call) =>
    forEachArgument(call, async (volume) => {
      await call.client.delete(`/volumes/${segment(volume)}`, { force: call.options.force });
      return volume;
    }),
});
