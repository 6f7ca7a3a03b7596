/** `ps`: which containers there are. */
import { command } from "../command.ts";
import { filterFlag, filterQuery } from "../filters.ts";
import { flag } from "../flags.ts";
import { formatList, type Row } from "../format/list.ts";
import { portsText } from "../format/ports.ts";
import { ellipsis, goTime, humanAge, humanSize, shortId } from "../format/units.ts";
import type { ContainerSummary } from "../wire.ts";
import type { WallTime } from "../ports.ts";

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
    const rows = containers.map((each) => row(each, options["no-trunc"], ports.time));
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

function row(each: ContainerSummary, whole: boolean, time: WallTime): Row {
  const mounts = (each.Mounts ?? []).map(({ Name, Source }) => Name || Source);
  return {
    ID: whole ? each.Id : shortId(each.Id),
    Image: imageText(each, whole),
    Command: JSON.stringify(whole ? each.Command : ellipsis(each.Command, 20)),
    RunningFor: humanAge(each.Created, time),
    CreatedAt: goTime(each.Created, time),
    Status: each.Status,
    State: each.State,
    Ports: portsText(each.Ports ?? []),
    Names: namesText(each.Names ?? []),
    Size: sizeText(each),
    Labels: Object.entries(each.Labels ?? {})
      .map(([key, value]) => `${key}=${value}`)
      .toSorted()
      .join(","),
    Mounts: mounts.map((name) => (whole ? name : ellipsis(name, 15))).join(","),
    LocalVolumes: String((each.Mounts ?? []).filter(({ Type }) => Type === "volume").length),
    Networks: Object.keys(each.NetworkSettings?.Networks ?? {}).join(","),
  };
}

function imageText({ Image, ImageID }: ContainerSummary, whole: boolean): string {
  if (Image === "") return "<no image>";
  if (whole) return Image;
  return Image === ImageID || Image.startsWith("sha256:") ? shortId(Image) : Image.replace(/@sha256:.*$/, "");
}

/** Without the slash, and without the names that links gave ("/other/alias"). */
function namesText(names: readonly string[]): string {
  return names
    .map((name) => name.replace(/^\//, ""))
    .filter((name) => !name.includes("/"))
    .join(",");
}

function sizeText({ SizeRw = 0, SizeRootFs = 0 }: ContainerSummary): string {
  const written = humanSize(SizeRw, 3);
  return SizeRootFs > 0 ? `${written} (virtual ${humanSize(SizeRootFs, 3)})` : written;
}
