/** `images`: which images there are, a row for each name. */
import { command } from "../command.ts";
import { filterFlag, filterQuery } from "../filters.ts";
import { flag } from "../flags.ts";
import { formatList, type Row } from "../format/list.ts";
import { goTime, humanAge, humanSize, shortId } from "../format/units.ts";
import type { ImageSummary } from "../wire.ts";
import type { WallTime } from "../ports.ts";

const headings = {
  ID: "IMAGE ID",
  Repository: "REPOSITORY",
  Tag: "TAG",
  Digest: "DIGEST",
  CreatedSince: "CREATED",
  CreatedAt: "CREATED AT",
  Size: "SIZE",
  Containers: "CONTAINERS",
  VirtualSize: "SIZE",
  SharedSize: "SHARED SIZE",
  UniqueSize: "UNIQUE SIZE",
};

export default command({
  usage: "[OPTIONS] [REPOSITORY[:TAG]]",
  summary: "List images",
  flags: {
    all: flag.bool("a", "Show all images (default hides intermediate images)"),
    digests: flag.bool(null, "Show digests"),
    filter: filterFlag("Filter output based on conditions provided"),
    format: flag.text(null, "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or 'TEMPLATE'"),
    "no-trunc": flag.bool(null, "Don't truncate output"),
    quiet: flag.bool("q", "Only show image IDs"),
  },
  min: 0,
  max: 1,
  perform: async ({ options, args: [reference], client, ports }) => {
    const filters = filterQuery([...options.filter, ...(reference === undefined ? [] : [`reference=${reference}`])]);
    const images = await client.get<ImageSummary[]>("/images/json", { all: options.all, filters });
    const withDigests = options.digests || /\.Digest\b/.test(options.format);
    const rows = images.flatMap((image) =>
      rowsOf(image, { whole: options["no-trunc"], withDigests, time: ports.time }),
    );
    const shown = options.quiet && options.format === "" ? "{{.ID}}" : options.format;
    const columns = ["Repository", "Tag", ...(withDigests ? ["Digest"] : []), "ID", "CreatedSince", "Size"];
    await ports.terminal.stdout(formatList({ headings, columns, rows, type: "*formatter.imageContext" }, shown));
    return 0;
  },
});

const none = "<none>";

interface Shown {
  readonly whole: boolean;
  readonly withDigests: boolean;
  readonly time: WallTime;
}

/** One for each tag, or one for each digest, or one without a name. */
function rowsOf(image: ImageSummary, shown: Shown): Row[] {
  const { withDigests } = shown;
  const tags = (image.RepoTags ?? []).filter((tag) => tag !== `${none}:${none}`);
  const digests = (image.RepoDigests ?? []).filter((digest) => digest !== `${none}@${none}`).map(splitDigest);
  if (tags.length > 0)
    return tags.map(splitTag).flatMap(([repository, tag]) => {
      const own = withDigests ? digests.filter(([name]) => name === repository) : [];
      const listed = own.length > 0 ? own.map(([, digest]) => digest) : [none];
      return listed.map((digest) => row(image, shown, repository, tag, digest));
    });
  if (digests.length > 0) return digests.map(([repository, digest]) => row(image, shown, repository, none, digest));
  return [row(image, shown, none, none, none)];
}

function splitTag(reference: string): [repository: string, tag: string] {
  const at = reference.lastIndexOf(":");
  return [reference.slice(0, at), reference.slice(at + 1)];
}

function splitDigest(reference: string): [repository: string, digest: string] {
  const at = reference.indexOf("@");
  return [reference.slice(0, at), reference.slice(at + 1)];
}

function row(image: ImageSummary, { whole, time }: Shown, Repository: string, Tag: string, Digest: string): Row {
  return {
    ID: whole ? image.Id : shortId(image.Id),
    Repository,
    Tag,
    Digest,
    CreatedSince: humanAge(image.Created, time),
    CreatedAt: goTime(image.Created, time),
    Size: humanSize(image.Size, 3),
    Containers: image.Containers < 0 ? "N/A" : String(image.Containers),
    VirtualSize: humanSize(image.Size),
    SharedSize: image.SharedSize < 0 ? "N/A" : humanSize(image.SharedSize),
    UniqueSize: image.SharedSize < 0 ? "N/A" : humanSize(image.Size - image.SharedSize),
  };
}
