/** `system df`: the room that images take, shared layers counted once. */
import { command } from "../command.ts";
import { flag } from "../flags.ts";
import { formatList, type Row } from "../format/list.ts";
import { humanSize } from "../format/units.ts";
import { usageInDetail } from "../usage-in-detail.ts";
import type { ContainerSummary, DiskUsage } from "../wire.ts";

const headings = { Type: "TYPE", TotalCount: "TOTAL", Active: "ACTIVE", Size: "SIZE", Reclaimable: "RECLAIMABLE" };
export default command({
  usage: "[OPTIONS]",
  summary: "Show disk usage",
  flags: {
    format: flag.text(null, "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or 'TEMPLATE'"),
    verbose: flag.bool("v", "Show detailed information on space usage"),
  },
  min: 0,
  max: 0,
  perform: async ({ options, client, ports }) => {
    const usage = await client.get<DiskUsage>("/system/df");
    const text = options.verbose ? usageInDetail(usage, ports.time) : summary(usage, options.format);
    await ports.terminal.stdout(text);
    return 0;
  },
});

function summary(usage: DiskUsage, format: string): string {
  const columns = Object.keys(headings);
  const rows = [imagesRow(usage), containersRow(usage), volumesRow(usage), emptyRow("Build Cache")];
  return formatList({ headings, columns, rows, type: "*formatter.diskUsageImagesContext" }, format);
}

/** Reclaimable is what would be free without the images that no container uses. */
function imagesRow({ Images, LayersSize }: DiskUsage): Row {
  const active = Images.filter(({ Containers }) => Containers > 0);
  const used = active.reduce((sum, { Size, SharedSize }) => sum + Size - SharedSize, 0);
  const free = LayersSize - used;
  const percent = LayersSize > 0 ? ` (${Math.floor((free * 100) / LayersSize)}%)` : "";
  return {
    Type: "Images",
    TotalCount: String(Images.length),
    Active: String(active.length),
    Size: humanSize(LayersSize),
    Reclaimable: `${humanSize(free)}${percent}`,
  };
}

/** What containers wrote is told by a daemon that measures it. */
function containersRow({ Containers }: DiskUsage): Row {
  const isActive = ({ State }: ContainerSummary): boolean => ["running", "paused", "restarting"].includes(State);
  const sizeOf = (containers: readonly ContainerSummary[]): string =>
    containers.some(({ SizeRw }) => SizeRw === undefined)
      ? "N/A"
      : humanSize(containers.reduce((sum, { SizeRw = 0 }) => sum + SizeRw, 0));
  return {
    Type: "Containers",
    TotalCount: String(Containers.length),
    Active: String(Containers.filter(isActive).length),
    Size: sizeOf(Containers),
    Reclaimable: sizeOf(Containers.filter((container) => !isActive(container))),
  };
}

function volumesRow({ Volumes }: DiskUsage): Row {
  const active = Volumes.filter(({ UsageData }) => (UsageData?.RefCount ?? 0) > 0);
  const unknown = Volumes.length === 0 ? "0B" : "N/A";
  const TotalCount = String(Volumes.length);
  return { Type: "Local Volumes", TotalCount, Active: String(active.length), Size: unknown, Reclaimable: unknown };
}

function emptyRow(Type: string): Row {
  return { Type, TotalCount: "0", Active: "0", Size: "0B", Reclaimable: "0B" };
}
