/** `rmi`: takes names from images, and removes those that have none left. */
import { command, forEachArgument } from "../command.ts";
import { ApiError } from "../errors.ts";
import { flag } from "../flags.ts";

interface Removed {
  readonly Untagged?: string;
  readonly Deleted?: string;
}

export default command({
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  summary: "Remove one or more images",
  flags: {
    force: flag.bool("f", "Force removal of the image"),
    "no-prune": flag.bool(null, "Do not delete untagged parents"),
  },
  min: 1,
  max: Number.POSITIVE_INFINITY,
  perform: async (call) => {
    const { options, client } = call;
    const query = { force: options.force, noprune: options["no-prune"] };
    let missing = 0;
    const code = await forEachArgument(call, async (image) => {
      const removed = await client.delete<Removed[]>(`/images/${encodeURI(image)}`, query).catch((thrown: unknown) => {
        if (thrown instanceof ApiError && thrown.status === 404) missing++;
        throw thrown;
      });
      return removed
        .map(({ Untagged, Deleted }) => (Deleted ? `Deleted: ${Deleted}` : `Untagged: ${Untagged}`))
        .join("\n");
    });
    // Forced, what is already gone is said but is no failure.
    return options.force && missing > 0 && missing === call.args.length ? 0 : code;
  },
});
