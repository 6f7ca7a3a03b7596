/** `history`: the steps an image was made in, newest first, or as the Dockerfile they may have come from. */
import { dockerfileOf } from "../as-dockerfile.ts";
import { command } from "../command.ts";
import { flag } from "../flags.ts";
import { formatList } from "../format/list.ts";
import { ellipsis, humanAge, humanSize, isoTime, shortId } from "../format/units.ts";
import type { WallTime } from "../ports.ts";
import type { ImageHistoryStep, ImageInspect } from "../wire.ts";

const headings = {
  ID: "IMAGE",
  CreatedSince: "CREATED",
  CreatedAt: "CREATED AT",
  CreatedBy: "CREATED BY",
  Size: "SIZE",
  Comment: "COMMENT",
};

export default command({
  usage: "[OPTIONS] IMAGE",
  summary: "Show the history of an image",
  flags: {
    "as-dockerfile": flag.bool(null, "Print the Dockerfile the image may have been built from (tsbox only)"),
    format: flag.text(null, "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or 'TEMPLATE'"),
    human: flag.bool("H", "Print sizes and dates in human readable format", true),
    "no-trunc": flag.bool(null, "Don't truncate output"),
    quiet: flag.bool("q", "Only show image IDs"),
  },
  min: 1,
  max: 1,
  perform: async ({ options, args: [image = ""], client, ports }) => {
    const path = `/images/${encodeURI(image)}`;
    const steps = await client.get<ImageHistoryStep[]>(`${path}/history`);
    if (options["as-dockerfile"]) {
      await ports.terminal.stdout(dockerfileOf(steps, await client.get<ImageInspect>(`${path}/json`)));
      return 0;
    }
    const rows = steps.map((step) => rowOf(step, options.human, options["no-trunc"], ports.time));
    const shown = options.quiet && options.format === "" ? "{{.ID}}" : options.format;
    const columns = ["ID", options.human ? "CreatedSince" : "CreatedAt", "CreatedBy", "Size", "Comment"];
    await ports.terminal.stdout(formatList({ headings, columns, rows, type: "*image.historyContext" }, shown));
    return 0;
  },
});

function rowOf(
  { Id, Created, CreatedBy, Size, Comment }: ImageHistoryStep,
  human: boolean,
  whole: boolean,
  time: WallTime,
) {
  const command = CreatedBy.replaceAll("\t", " ");
  return {
    ID: whole ? Id : shortId(Id),
    CreatedSince: Created <= 0 ? "N/A" : human ? humanAge(Created, time) : isoTime(Created, time),
    CreatedAt: isoTime(Created, time),
    CreatedBy: whole ? command : ellipsis(command, 45),
    Size: human ? humanSize(Size, 3) : String(Size),
    Comment,
  };
}
