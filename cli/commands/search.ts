/** `search`: images by a word, at Docker Hub or at the registry whose name comes first. */
import { command } from "../command.ts";
import { header, Logins, serverNamed } from "../docker-config.ts";
import { filterFlag, filterQuery } from "../filters.ts";
import { flag } from "../flags.ts";
import { formatList, type Row } from "../format/list.ts";

interface Result {
  readonly name: string;
  readonly description: string;
  readonly star_count: number;
  readonly is_official: boolean;
  readonly is_automated: boolean;
}

const headings = {
  Name: "NAME",
  Description: "DESCRIPTION",
  StarCount: "STARS",
  IsOfficial: "OFFICIAL",
  IsAutomated: "AUTOMATED",
};

export default command({
  usage: "[OPTIONS] TERM",
  summary: "Search Docker Hub for images",
  flags: {
    filter: filterFlag("Filter output based on conditions provided"),
    format: flag.text(null, "Pretty-print search using a Go template"),
    limit: flag.integer(null, "Max number of search results"),
    "no-trunc": flag.bool(null, "Don't truncate output"),
  },
  min: 1,
  max: 1,
  perform: async ({ options, args: [term = ""], client, ports }) => {
    const filters = filterQuery(options.filter);
    const headers = header(await new Logins(ports).get(serverNamed(hostIn(term))));
    const text = await client.open(
      "GET",
      "/images/search",
      { term, limit: options.limit || undefined, filters },
      { headers },
    );
    const results = await client.json<Result[]>(text);
    const rows = results.map((result) => row(result, options["no-trunc"]));
    const columns = ["Name", "Description", "StarCount", "IsOfficial"];
    await ports.terminal.stdout(
      formatList({ headings, columns, rows, type: "*formatter.searchContext" }, options.format),
    );
    return 0;
  },
});

/** "" for a word that is looked for at the Hub. */
function hostIn(term: string): string {
  const [first = "", rest] = term.split("/");
  return rest !== undefined && (/[.:]/.test(first) || first === "localhost") ? first : "";
}

const descriptionMax = 45;

function row({ name, description, star_count, is_official, is_automated }: Result, whole: boolean): Row {
  const line = description.replaceAll(/[\r\n]/g, " ");
  const short = line.length > descriptionMax ? `${line.slice(0, descriptionMax - 1)}…` : line;
  return {
    Name: name,
    Description: whole ? line : short,
    StarCount: String(star_count),
    IsOfficial: is_official ? "[OK]" : "",
    IsAutomated: is_automated ? "[OK]" : "",
  };
}
