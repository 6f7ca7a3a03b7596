/** `volume ls`: which volumes there are. */
import { command } from "../command.ts";
import { filterFlag, filterQuery } from "../filters.ts";
import { flag } from "../flags.ts";
import { formatList } from "../format/list.ts";
import type { VolumeSummary } from "../wire.ts";

const headings = {
  Driver: "DRIVER",
  Name: "VOLUME NAME",
  Labels: "LABELS",
  Mountpoint: "MOUNTPOINT",
  Scope: "SCOPE",
};

export default command({
  usage: "[OPTIONS]",
  summary: "List volumes",
  flags: {
    filter: filterFlag('Provide filter values (e.g. "dangling=true")'),
    format: flag.text(null, "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or 'TEMPLATE'"),
    quiet: flag.bool("q", "Only display volume names"),
  },
  min: 0,
  max: 0,
  perform: async ({ options, client, ports }) => {
    const { Volumes } = await client.get<{ Volumes: VolumeSummary[] | null }>("/volumes", {
      filters: filterQuery(options.filter),
    });
    const rows = (Volumes ?? [])
      .toSorted((a, b) => a.Name.localeCompare(b.Name, "en", { numeric: true }))
      .map(({ Driver, Name, Labels, Mountpoint, Scope }) => ({
        Driver,
        Name,
        Labels: Object.entries(Labels ?? {})
          .map(([key, value]) => `${key}=${value}`)
          .toSorted()
          .join(","),
        Mountpoint,
        Scope,
      }));
    const shown = options.quiet && options.format === "" ? "{{.Name}}" : options.format;
    const list = { headings, columns: ["Driver", "Name"], rows, type: "*formatter.volumeContext" };
    await ports.terminal.stdout(formatList(list, shown));
    return 0;
  },
});
