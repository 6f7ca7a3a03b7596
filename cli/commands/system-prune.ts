/** `system prune`: removes what is not used: containers, networks, images, build cache, and volumes when asked. */
import type { Client } from "../client.ts";
import { command } from "../command.ts";
import { confirmed } from "../confirm.ts";
import { ApiError } from "../errors.ts";
import { filterFlag, filterQuery } from "../filters.ts";
import { flag } from "../flags.ts";
import { humanSize } from "../format/units.ts";
import { pruneImages, prunedLines } from "../prune.ts";

interface Section {
  readonly title: string;
  readonly lines: readonly string[];
  /** Bytes. */
  readonly reclaimed: number;
}

export default command({
  usage: "[OPTIONS]",
  summary: "Remove unused data",
  flags: {
    all: flag.bool("a", "Remove all unused images not just dangling ones"),
    filter: filterFlag('Provide filter values (e.g. "label=<key>=<value>")'),
    force: flag.bool("f", "Do not prompt for confirmation"),
    volumes: flag.bool(null, "Prune anonymous volumes"),
  },
  min: 0,
  max: 0,
  perform: async ({ options, client, ports }) => {
    const { all, filter, force, volumes } = options;
    if (!force && !(await confirmed(warning(all, volumes), ports.terminal))) return 0;
    const sections: Section[] = [];
    const problems: string[] = [];
    for (const prune of steps(client, { all, filters: filter, volumes })) {
      try {
        sections.push(await prune());
      } catch (thrown) {
        if (!(thrown instanceof ApiError && thrown.status === 501)) throw thrown;
        problems.push(thrown.reason);
      }
    }
    const shown = sections.filter(({ lines }) => lines.length > 0);
    for (const { title, lines } of shown) await ports.terminal.stdout(`${title}:\n${lines.join("\n")}\n\n`);
    const total = sections.reduce((sum, { reclaimed }) => sum + reclaimed, 0);
    await ports.terminal.stdout(`Total reclaimed space: ${humanSize(total)}\n`);
    if (problems.length > 0) await ports.terminal.stderr(`${problems.join("\n")}\n`);
    return 0;
  },
});

function warning(all: boolean, volumes: boolean): string {
  const images = all ? "all images without at least one container associated to them" : "all dangling images";
  return [
    "WARNING! This will remove:",
    "  - all stopped containers",
    "  - all networks not used by at least one container",
    ...(volumes ? ["  - all anonymous volumes not used by at least one container"] : []),
    `  - ${images}`,
    "  - unused build cache\n",
  ].join("\n");
}

interface Wanted {
  readonly all: boolean;
  readonly filters: readonly string[];
  readonly volumes: boolean;
}

/** In the order in which one frees the next. */
function steps(client: Client, { all, filters, volumes }: Wanted): (() => Promise<Section>)[] {
  const family = (title: string, path: string, field: string) => async (): Promise<Section> => {
    const answer = await client.post<Readonly<Record<string, unknown>>>(path, { filters: filterQuery(filters) });
    const names = answer[field];
    const reclaimed = answer["SpaceReclaimed"];
    return {
      title,
      lines: Array.isArray(names) ? names.map(String) : [],
      reclaimed: typeof reclaimed === "number" ? reclaimed : 0,
    };
  };
  return [
    family("Deleted Containers", "/containers/prune", "ContainersDeleted"),
    family("Deleted Networks", "/networks/prune", "NetworksDeleted"),
    ...(volumes ? [family("Deleted Volumes", "/volumes/prune", "VolumesDeleted")] : []),
    async () => {
      const { deleted, reclaimed } = await pruneImages(client, { all, filters });
      return { title: "Deleted Images", lines: prunedLines(deleted), reclaimed };
    },
    family("Deleted build cache objects", "/build/prune", "CachesDeleted"),
  ];
}
