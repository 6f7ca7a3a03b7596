/** `--mount` and `--tmpfs` as they come over the wire, to MountRequest and back. */
import * as v from "valibot";
import type { ContainerPath } from "../../core/base/brand.ts";
import type { MountRequest } from "../../core/container/config.ts";
import { invalid } from "../errors.ts";
import { targetProblem } from "./bind.ts";
import { integer, part, text, truth } from "./schema.ts";

export const mountSchema = v.object({
  Type: text,
  Source: text,
  Target: text,
  ReadOnly: truth,
  BindOptions: part({ Propagation: text, CreateMountpoint: truth }),
  VolumeOptions: part({ NoCopy: truth }),
  TmpfsOptions: part({ SizeBytes: integer, Mode: integer }),
});

type WireMount = v.InferOutput<typeof mountSchema>;

export function mountFromWire(mount: WireMount): MountRequest {
  const kind = kindOf(mount.Type);
  const problem = targetProblem(mount.Target) ?? sourceProblem(kind, mount.Source);
  if (problem !== null) throw invalid(`invalid mount config for type "${kind}": ${problem}`);
  return {
    kind,
    source: mount.Source,
    target: mount.Target as ContainerPath,
    readonly: mount.ReadOnly,
    propagation: mount.BindOptions.Propagation,
    createSource: mount.BindOptions.CreateMountpoint,
    options: optionsOf(kind, mount),
  };
}

function optionsOf(kind: MountRequest["kind"], { VolumeOptions, TmpfsOptions }: WireMount): string {
  if (kind === "volume") return VolumeOptions.NoCopy ? "nocopy" : "";
  return kind === "tmpfs" ? tmpfsOptions(TmpfsOptions.SizeBytes, TmpfsOptions.Mode) : "";
}

function kindOf(type: string): MountRequest["kind"] {
  if (type === "bind" || type === "volume" || type === "tmpfs") return type;
  throw invalid(`invalid mount config for type "${type}": mount type unknown`);
}

function sourceProblem(kind: MountRequest["kind"], source: string): string | null {
  if (kind === "bind" && source === "") return "field Source must not be empty";
  if (kind === "bind" && !source.startsWith("/")) return `invalid mount path: '${source}' mount path must be absolute`;
  if (kind === "tmpfs" && source !== "") return "field Source must not be specified";
  return null;
}

function tmpfsOptions(sizeBytes: number, mode: number): string {
  return [sizeBytes > 0 ? `size=${sizeBytes}` : "", mode > 0 ? `mode=${mode.toString(8)}` : ""]
    .filter((option) => option !== "")
    .join(",");
}

/** One entry of HostConfig.Tmpfs: target to options. */
export function tmpfsFromWire([target, options]: [string, string]): MountRequest {
  const problem = targetProblem(target);
  if (problem !== null) throw invalid(`invalid mount config for type "tmpfs": ${problem}`);
  return {
    kind: "tmpfs",
    source: "",
    target: target as ContainerPath,
    readonly: options.split(",").includes("ro"),
    propagation: "",
    // As with -v: the target is made when it is missing. It also tells --tmpfs from --mount type=tmpfs.
    createSource: true,
    options,
  };
}

export function isTmpfsFlag(mount: MountRequest): boolean {
  return mount.kind === "tmpfs" && mount.createSource;
}

/** HostConfig.Mounts of inspect: what was asked by --mount, not by -v or --tmpfs. */
export function isMountFlag(mount: MountRequest, binds: readonly string[]): boolean {
  return !isTmpfsFlag(mount) && !binds.some((bind) => bind.split(":").includes(mount.target));
}

export function mountToWire(mount: MountRequest): object {
  return {
    Type: mount.kind,
    ...(mount.source === "" ? {} : { Source: mount.source }),
    Target: mount.target,
    ...(mount.readonly ? { ReadOnly: true } : {}),
    ...(mount.kind === "volume" && mount.options === "nocopy" ? { VolumeOptions: { NoCopy: true } } : {}),
    ...(mount.propagation === "" ? {} : { BindOptions: { Propagation: mount.propagation } }),
  };
}
