/** `system df -v`: what each image, container and volume takes. There is no build cache, and Docker's table of it is empty. */
import { containerRow } from "./container-row.ts";
import { formatList, type Row } from "./format/list.ts";
import { humanAge, humanSize, shortId } from "./format/units.ts";
import type { WallTime } from "./ports.ts";
import type { DiskUsage, ImageSummary } from "./wire.ts";

const imageHeadings = {
  Repository: "REPOSITORY",
  Tag: "TAG",
  ID: "IMAGE ID",
  CreatedSince: "CREATED",
  Size: "SIZE",
  SharedSize: "SHARED SIZE",
  UniqueSize: "UNIQUE SIZE",
  Containers: "CONTAINERS",
};
const containerHeadings = {
  ID: "CONTAINER ID",
  Image: "IMAGE",
  Command: "COMMAND",
  LocalVolumes: "LOCAL VOLUMES",
  Size: "SIZE",
  RunningFor: "CREATED",
  Status: "STATUS",
  Names: "NAMES",
};
const volumeHeadings = { Name: "VOLUME NAME", Links: "LINKS", Size: "SIZE" };
const cacheHeadings = {
  ID: "CACHE ID",
  CacheType: "CACHE TYPE",
  Size: "SIZE",
  CreatedSince: "CREATED",
  LastUsedSince: "LAST USED",
  UsageCount: "USAGE",
  Shared: "SHARED",
};

export function usageInDetail({ Images, Containers, Volumes }: DiskUsage, time: WallTime): string {
  const volumes = Volumes.map(({ Name, UsageData }) => ({
    Name,
    Links: UsageData === undefined ? "N/A" : String(UsageData.RefCount),
    Size: UsageData?.Size === undefined || UsageData.Size < 0 ? "N/A" : humanSize(UsageData.Size),
  }));
  return [
    section(
      "Images space usage:",
      imageHeadings,
      Images.map((image) => imageRow(image, time)),
    ),
    section(
      "Containers space usage:",
      containerHeadings,
      Containers.map((each) => containerRow(each, false, time)),
    ),
    section("Local Volumes space usage:", volumeHeadings, volumes),
    section("Build cache usage: 0B", cacheHeadings, []),
  ].join("\n");
}

function section(title: string, headings: Readonly<Record<string, string>>, rows: readonly Row[]): string {
  return `${title}\n\n${formatList({ headings, columns: Object.keys(headings), rows, type: "" }, "")}`;
}

function imageRow(image: ImageSummary, time: WallTime): Row {
  const [name = "<none>:<none>"] = image.RepoTags ?? [];
  const at = name.lastIndexOf(":");
  return {
    Repository: name.slice(0, at),
    Tag: name.slice(at + 1),
    ID: shortId(image.Id),
    CreatedSince: humanAge(image.Created, time),
    Size: humanSize(image.Size, 3),
    SharedSize: humanSize(image.SharedSize),
    UniqueSize: humanSize(image.Size - image.SharedSize),
    Containers: String(image.Containers),
  };
}
