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

const systems = new Set(
  "aix android darwin dragonfly freebsd illumos ios js linux netbsd openbsd plan9 solaris wasi windows".split(" "),
);
const architectures = new Set(
  "386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x wasm".split(" "),
);

/**
 * "linux/arm64/v8" and the like. A single word is an operating system or an architecture that is known (containerd:
 * platforms.Parse), and the other one is this machine's. Null for what is no platform.
 */
export function parsePlatform(text: string, own = "amd64"): Platform | null {
  const parts = text.toLowerCase().split("/");
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part))) return null;
  const [first = "", second = "", variant = ""] = parts;
  if (parts.length > 1) return { os: first, architecture: aliases[second] ?? second, variant };
  if (systems.has(first)) return { os: first, architecture: own, variant: "" };
  const architecture = aliases[first] ?? first;
  return architectures.has(architecture) ? { os: "linux", architecture, variant: "" } : null;
}

/** What is wanted of an image for several platforms: one that was named, or what a machine takes by itself. */
export interface Wanted extends Platform {
  /** Whether wasi/wasm will do as well: where nothing else fits, or by the place the list gives it. Absent: it will not. */
  readonly wasi?: "last" | "as listed";
}

/** What a machine takes by itself. */
export function platformOf(architecture: string, wasi: Wanted["wasi"]): Wanted {
  return { os: "linux", architecture, variant: "", ...(wasi !== undefined && { wasi }) };
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

/**
 * The manifest of a list that fits best, as Docker chooses (moby: distribution/pull_v2.go filterManifests;
 * containerd: platforms.Only): the platform itself, then what its processors run as well, newest
 * first; then the same architecture in any variant; then one that says no platform. Null when none fits.
 * wasi/wasm comes last, or where two fit equally well the first of the list is taken, as OCI's image-spec has it (image-index.md).
 */
export function choose(manifests: readonly Descriptor[], wanted: Wanted): Descriptor | null {
  const images = manifests.filter((manifest) => !isAttestation(manifest));
  const own = chooseOwn(images, wanted);
  const wasi =
    wanted.wasi === undefined ? -1 : images.findIndex(({ platform }) => platform !== undefined && isWasi(platform));
  if (wasi < 0 || (own !== null && wanted.wasi === "last")) return own;
  return own !== null && images.indexOf(own) < wasi ? own : (images[wasi] ?? null);
}

/** Whether an image is for what is wanted. */
export function fits(wanted: Wanted, offered: Platform): boolean {
  return matches(wanted, offered) || (wanted.wasi !== undefined && isWasi(offered));
}

/** WebAssembly programs for WASI: the platform's name is the one Docker, Podman and crun use. */
export function isWasi({ os, architecture }: Omit<Platform, "variant">): boolean {
  return os === "wasi" && architecture === "wasm";
}

function chooseOwn(images: readonly Descriptor[], wanted: Platform): Descriptor | null {
  for (const runs of alsoRun(wanted)) {
    const found = images.find(({ platform }) => platform !== undefined && matches(runs, { variant: "", ...platform }));
    if (found !== undefined) return found;
  }
  const near = images.find(
    ({ platform }) => platform?.os === wanted.os && platform.architecture === wanted.architecture,
  );
  return near ?? images.find(({ platform }) => platform === undefined) ?? null;
}

/** What BuildKit lists beside an image to say how it was made: no image. */
export function isAttestation({ annotations = {}, platform }: Descriptor): boolean {
  return (
    annotations["vnd.docker.reference.type"] === "attestation-manifest" ||
    (platform?.os === "unknown" && platform.architecture === "unknown")
  );
}

const variants: Readonly<Record<string, readonly string[]>> = {
  amd64: ["v4", "v3", "v2", "v1"],
  arm: ["v8", "v7", "v6", "v5"],
  arm64: ["v9", "v8"],
};
/** The 32-bit architecture that 64-bit processors run. */
const narrower: Readonly<Record<string, Omit<Platform, "os">>> = {
  amd64: { architecture: "386", variant: "" },
  arm64: { architecture: "arm", variant: "v8" },
};

/** The platforms whose programs a machine of this one runs, best first. */
function alsoRun(platform: Platform): Platform[] {
  const { os, architecture } = platform;
  const known = variants[architecture] ?? [];
  const from = known.indexOf(variantOf(platform));
  const own = from < 0 ? [platform] : known.slice(from).map((variant) => ({ os, architecture, variant }));
  const other = narrower[architecture];
  return other === undefined ? own : [...own, ...alsoRun({ os, ...other })];
}
