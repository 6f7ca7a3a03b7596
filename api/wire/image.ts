/** Images as list and inspect show them. */
import { parseTime, zeroTime } from "../../core/base/time.ts";
import type { HistoryStep, Image, ListedImage } from "../../core/image/image.ts";
import type { Version } from "../version.ts";
import { imageConfigToWire } from "./config.ts";
import { orNull } from "./host-config.ts";

export function imageSummary(image: ListedImage, version: Version) {
  const placeholder = version <= 42 && image.names.length === 0;
  return {
    Containers: -1,
    Created: image.createdSeconds,
    Id: image.id,
    Labels: Object.keys(image.labels).length === 0 ? null : image.labels,
    ParentId: "",
    RepoDigests: placeholder && image.digests.length === 0 ? ["<none>@<none>"] : image.digests,
    RepoTags: placeholder ? ["<none>:<none>"] : image.names,
    SharedSize: -1,
    Size: image.size,
    ...(version <= 43 ? { VirtualSize: image.size } : {}),
  };
}

export type ImageSummary = ReturnType<typeof imageSummary>;

export function imageInspect(image: Image, storageDriver: string, version: Version) {
  return {
    Id: image.id,
    RepoTags: image.names,
    RepoDigests: image.digests,
    Parent: "",
    Comment: image.comment,
    Created: image.created === "" ? zeroTime : image.created,
    ...(version <= 44 ? { Container: "", ContainerConfig: imageConfigToWire(emptyDefaults) } : {}),
    DockerVersion: "",
    Author: image.author,
    Config: imageConfigToWire(image.defaults),
    Architecture: image.architecture,
    ...(image.variant === "" ? {} : { Variant: image.variant }),
    Os: image.os,
    Size: image.size,
    ...(version <= 43 ? { VirtualSize: image.size } : {}),
    GraphDriver: { Data: null, Name: storageDriver },
    RootFS: { Type: "layers", Layers: image.layers },
    Metadata: { LastTagTime: zeroTime },
  };
}

export type ImageInspect = ReturnType<typeof imageInspect>;

/** Newest first. Only the last step is an image with an id and names; a layer nobody tells of has a line too. */
export function imageHistory(image: Image) {
  const sizes = image.layerSizes[Symbol.iterator]();
  const told = image.history.map((step) => historyLine(step, step.emptyLayer ? 0 : (sizes.next().value ?? 0)));
  const untold = Array.from(sizes, (size) => historyLine(null, size));
  const [newest, ...older] = [...told, ...untold].toReversed();
  return newest === undefined ? [] : [{ ...newest, Id: image.id, Tags: orNull(image.names) }, ...older];
}

function historyLine(step: HistoryStep | null, size: number) {
  return {
    Comment: step?.comment ?? "",
    Created: unixSeconds(step?.created ?? ""),
    CreatedBy: step?.createdBy ?? "",
    Id: "<missing>",
    Size: size,
    Tags: null,
  };
}

const emptyDefaults = {
  user: "",
  env: [],
  entrypoint: null,
  cmd: null,
  workingDir: "",
  volumes: [],
  exposedPorts: [],
  labels: {},
  stopSignal: null,
  onBuild: [],
  healthcheck: null,
};

/** Seconds since the epoch; 0 for a time that is not told. */
export function unixSeconds(time: string): number {
  return Number((parseTime(time) ?? 0n) / 1_000_000_000n);
}
