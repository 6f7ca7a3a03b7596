/** `image prune`: removes images that have no name, or all that no container uses. */
import { command } from "../command.ts";
import { confirmed } from "../confirm.ts";
import { filterFlag } from "../filters.ts";
import { flag } from "../flags.ts";
import { humanSize } from "../format/units.ts";
import { pruneImages, prunedLines } from "../prune.ts";

export default command({
  usage: "[OPTIONS]",
  summary: "Remove unused images",
  flags: {
    all: flag.bool("a", "Remove all unused images, not just dangling ones"),
    filter: filterFlag('Provide filter values (e.g. "until=<timestamp>")'),
    force: flag.bool("f", "Do not prompt for confirmation"),
  },
  min: 0,
  max: 0,
  perform: async ({ options, client, ports }) => {
    const { all, filter, force } = options;
    const what = all
      ? "WARNING! This will remove all images without at least one container associated to them."
      : "WARNING! This will remove all dangling images.";
    if (!force && !(await confirmed(what, ports.terminal))) return 0;
    const pruned = await pruneImages(client, { all, filters: filter });
    const { deleted, reclaimed } = pruned;
    const list = deleted.length === 0 ? "" : `Deleted Images:\n${prunedLines(deleted).join("\n")}\n\n`;
    await ports.terminal.stdout(`${list}Total reclaimed space: ${humanSize(reclaimed)}\n`);
    return 0;
  },
});
