/** `ps`: which containers there are. */
import { command } from "../command.ts";
import { containerRow } from "../container-row.ts";
import { filterFlag, filterQuery } from "../filters.ts";
import { flag } from "../flags.ts";
import { formatList } from "../format/list.ts";
import type { ContainerSummary } from "../wire.ts";

const headings = {
  ID: "CONTAINER ID",
  Image: "IMAGE",
  Command: "COMMAND",
  RunningFor: "CREATED",
  CreatedAt: "CREATED AT",
  Status: "STATUS",
  State: "STATE",
  Ports: "PORTS",
  Names: "NAMES",
  Size: "SIZE",
  Labels: "LABELS",
  Mounts: "MOUNTS",
  LocalVolumes: "LOCAL VOLUMES",
  Networks: "NETWORKS",
};

const columns = ["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"];

export default command({
  usage: "[OPTIONS]",
  summary: "List containers",
  flags: {
    all: flag.bool("a", "Show all containers (default shows just running)"),
    filter: filterFlag("Filter output based on conditions provided"),
    format: flag.text(null, "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or 'TEMPLATE'"),
    last: flag.integer("n", "Show n last created containers (includes all states)", -1),
    latest: flag.bool("l", "Show the latest created container (includes all states)"),
    "no-trunc": flag.bool(null, "Don't truncate output"),
    quiet: flag.bool("q", "Only display container IDs"),
    size: flag.bool("s", "Display total file sizes"),
  },
  min: 0,
  max: 0,
  perform: async ({ options, client, ports }) => {
    const { quiet } = options;
    const format = options.format;
    const size = options.size || /\.Size\b/.test(format);
    const limit = options.latest ? 1 : options.last;
    const containers = await client.get<ContainerSummary[]>("/containers/json", {
      all: options.all,
      limit: limit > 0 ? limit : undefined,
      size,
      filters: filterQuery(options.filter),
    });
    const rows = containers.map((each) => containerRow(each, options["no-trunc"], ports.time));
    const shown = quiet && format === "" ? "{{.ID}}" : format;
    const list = {
      headings,
      columns: size ? [...columns, "Size"] : columns,
      rows,
      type: "*formatter.ContainerContext",
      tried: true,
    };
    await ports.terminal.stdout(formatList(list, shown));
    return 0;
  },
});
