/** A container as `ps` and `system df -v` list it: each column's text by its name in templates. */
import type { Row } from "./format/list.ts";
import { portsText } from "./format/ports.ts";
import { ellipsis, goTime, humanAge, humanSize, shortId } from "./format/units.ts";
import type { WallTime } from "./ports.ts";
import type { ContainerSummary } from "./wire.ts";

export function containerRow(each: ContainerSummary, whole: boolean, time: WallTime): Row {
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
