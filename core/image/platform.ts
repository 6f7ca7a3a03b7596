/** Platforms: what an image's programs run on, and which of several images fits a machine. */
import type { Descriptor } from "./descriptor.ts";

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  /** "v8"; "" for none. */
  readonly variant: string;
}

const aliases: Readonly<Record<string, string>> = { x86_64: "amd64", aarch64: "arm64", armhf: "arm", i386: "386" };
const defaultVariants: Readonly<Record<string, string>> = { arm64: "v8", arm: "v7", amd64: "v1" };

/** "linux/arm64/v8" and the like; the operating system may be left out. Null for what is no platform. */
export function parsePlatform(text: string): Platform | null {
  const parts = text.toLowerCase().split("/");
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part))) return null;
  const [os = "", architecture = "", variant = ""] = parts.length === 1 ? ["linux", ...parts] : parts;
  return { os, architecture: aliases[architecture] ?? architecture, variant };
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === "" ? [] : [variant])].join("/");
}

/** Whether programs of `offered` run where `wanted` is asked for; a variant that is left out is the usual one. */
export function matches(wanted: Platform, offered: Platform): boolean {
  return (
    wanted.os === offered.os && wanted.architecture === offered.architecture && variantOf(wanted) === variantOf(offered)
  );
}

function variantOf({ architecture, variant }: Platform): string {
  return variant === "" ? (defaultVariants[architecture] ?? "") : variant;
}

/** The manifest of a list that fits best: the same variant, else the same architecture; null when none fits. */
export function choose(manifests: readonly Descriptor[], wanted: Platform): Descriptor | null {
  const offered = manifests.filter(({ platform }) => platform !== undefined);
  const exact = offered.find(({ platform }) => platform && matches(wanted, { variant: "", ...platform }));
  const near = offered.find(
    ({ platform }) => platform?.os === wanted.os && platform.architecture === wanted.architecture,
  );
  return exact ?? near ?? null;
}
