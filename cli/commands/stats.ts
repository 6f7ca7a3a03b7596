/** `stats`: what containers use, once or on a screen that is drawn anew every second. */
import { type Client, jsonLines, segment } from "../client.ts";
import { command } from "../command.ts";
import { flag } from "../flags.ts";
import { formatList, type Row } from "../format/list.ts";
import { binarySize, humanSize, shortId } from "../format/units.ts";
import type { ContainerStats, ContainerSummary, ProcessorStats } from "../wire.ts";

const headings = {
  Container: "CONTAINER",
  ID: "CONTAINER ID",
  Name: "NAME",
  CPUPerc: "CPU %",
  MemUsage: "MEM USAGE / LIMIT",
  MemPerc: "MEM %",
  NetIO: "NET I/O",
  BlockIO: "BLOCK I/O",
  PIDs: "PIDS",
};
const columns = ["ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs"];
const clearScreen = "\u001b[2J\u001b[H";

export default command({
  usage: "[OPTIONS] [CONTAINER...]",
  summary: "Display a live stream of container(s) resource usage statistics",
  flags: {
    all: flag.bool("a", "Show all containers (default shows just running)"),
    format: flag.text(null, "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or 'TEMPLATE'"),
    "no-stream": flag.bool(null, "Disable streaming stats and only pull the first result"),
    "no-trunc": flag.bool(null, "Do not truncate output"),
  },
  min: 0,
  max: Number.POSITIVE_INFINITY,
  perform: async ({ options, args, client, ports }) => {
    const containers = args.length > 0 ? args : await listed(client, options.all);
    const text = (all: readonly Named[]): string => {
      const rows = all.map((each) => rowOf(each, options["no-trunc"]));
      return formatList({ headings, columns, rows, type: "*container.statsFormatter" }, options.format);
    };
    if (options["no-stream"]) {
      await ports.terminal.stdout(text(await Promise.all(containers.map((name) => once(client, name)))));
      return 0;
    }
    for await (const all of streamed(client, containers)) await ports.terminal.stdout(`${clearScreen}${text(all)}`);
    return 0;
  },
});

interface Named {
  /** As the user called it. */
  readonly name: string;
  readonly stats: ContainerStats;
}

async function listed(client: Client, all: boolean): Promise<string[]> {
  const containers = await client.get<ContainerSummary[]>("/containers/json", { all });
  return containers.map(({ Id }) => Id);
}

async function once(client: Client, name: string): Promise<Named> {
  return { name, stats: await client.get<ContainerStats>(`/containers/${segment(name)}/stats`, { stream: 0 }) };
}

/** The newest of each, whenever the first container has told something new. It ends with the first. */
async function* streamed(client: Client, names: readonly string[]): AsyncGenerator<Named[], void, undefined> {
  const newest = new Map<string, ContainerStats>();
  const streams = await Promise.all(
    names.map(async (name) => {
      const { body } = await client.open("GET", `/containers/${segment(name)}/stats`, { stream: 1 });
      return { name, samples: jsonLines(body) as AsyncGenerator<ContainerStats, void, undefined> };
    }),
  );
  const [first, ...others] = streams;
  if (first === undefined) return;
  for (const { name, samples } of others) keepNewest(samples, (stats) => newest.set(name, stats));
  for await (const stats of first.samples) {
    newest.set(first.name, stats);
    yield names.flatMap((name) => {
      const known = newest.get(name);
      return known === undefined ? [] : [{ name, stats: known }];
    });
  }
}

/** Runs beside: a container that is removed meanwhile keeps its last line. */
function keepNewest(samples: AsyncIterable<ContainerStats>, keep: (stats: ContainerStats) => void): void {
  const all = async (): Promise<void> => {
    for await (const stats of samples) keep(stats);
  };
  all().catch(() => {});
}

function rowOf({ name, stats }: Named, whole: boolean): Row {
  const { limit = 0 } = stats.memory_stats;
  const used = memoryUsed(stats);
  return {
    Container: name,
    ID: whole ? stats.id : shortId(stats.id),
    Name: stats.name.replace(/^\//, ""),
    CPUPerc: `${processorShare(stats).toFixed(2)}%`,
    MemUsage: `${binarySize(used)} / ${binarySize(limit)}`,
    MemPerc: `${(limit === 0 ? 0 : (100 * used) / limit).toFixed(2)}%`,
    NetIO: pair(networkBytes(stats, "rx_bytes"), networkBytes(stats, "tx_bytes")),
    BlockIO: pair(diskBytes(stats, "read"), diskBytes(stats, "write")),
    PIDs: String(stats.pids_stats.current ?? 0),
  };
}

function pair(one: number, other: number): string {
  return `${humanSize(one, 3)} / ${humanSize(other, 3)}`;
}

/** Per cent of one processor. */
function processorShare({ cpu_stats: now, precpu_stats: before }: ContainerStats): number {
  const own = now.cpu_usage.total_usage - before.cpu_usage.total_usage;
  const whole = machineTime(now) - machineTime(before);
  return own > 0 && whole > 0 ? (own / whole) * (now.online_cpus ?? 1) * 100 : 0;
}

function machineTime({ system_cpu_usage = 0 }: ProcessorStats): number {
  return system_cpu_usage;
}

/** Without what the kernel only keeps for later (docker/cli: calculateMemUsageUnixNoCache). */
function memoryUsed({ memory_stats: { usage = 0, stats = {} } }: ContainerStats): number {
  const cache = stats["total_inactive_file"] ?? stats["inactive_file"] ?? 0;
  return cache < usage ? usage - cache : usage;
}

function networkBytes({ networks }: ContainerStats, key: "rx_bytes" | "tx_bytes"): number {
  return Object.values(networks ?? {}).reduce((sum, network) => sum + network[key], 0);
}

function diskBytes({ blkio_stats }: ContainerStats, operation: string): number {
  const entries = blkio_stats.io_service_bytes_recursive ?? [];
  return entries.filter(({ op }) => op.toLowerCase() === operation).reduce((sum, { value }) => sum + value, 0);
}
