/**
 * `-v` strings: [source:]target[:options]. A source that starts with "/" is a host path, another
 * one names a volume, none makes an anonymous volume (moby: volume/mounts/linux_parser.go).
 */
import type { ContainerPath } from "../../core/base/brand.ts";
import type { MountRequest } from "../../core/container/config.ts";
import { invalid } from "../errors.ts";

const propagations = ["private", "rprivate", "slave", "rslave", "shared", "rshared"];
const modes = ["ro", "rw", "z", "Z", "nocopy", ...propagations];

/** Throws TsboxError "invalid" with Docker's text. */
export function parseBind(text: string): MountRequest {
  const [source, target, options] = splitBind(text);
  const words = options === "" ? [] : options.split(",");
  if (words.some((word) => !modes.includes(word))) throw invalid(`invalid mode: ${options}`);
  const kind = source.startsWith("/") ? "bind" : "volume";
  checkTarget(text, kind, target);
  return {
    kind,
    source,
    target: target as ContainerPath,
    readonly: words.includes("ro"),
    propagation: words.find((word) => propagations.includes(word)) ?? "",
    createSource: true,
    options: kind === "volume" && words.includes("nocopy") ? "nocopy" : "",
  };
}

function splitBind(text: string): [source: string, target: string, options: string] {
  const parts = text.split(":");
  const [first = "", second = "", third = ""] = parts;
  if (parts.length > 3 || parts.includes("")) throw invalid(`invalid volume specification: '${text}'`);
  if (parts.length === 1) return ["", first, ""];
  if (parts.length === 2 && !second.startsWith("/") && second.split(",").every((word) => modes.includes(word)))
    throw invalid(`invalid volume specification: '${text}': invalid mode: ${second}`);
  return [first, second, third];
}

function checkTarget(text: string, kind: string, target: string): void {
  const problem = targetProblem(target);
  if (problem !== null)
    throw invalid(`invalid volume specification: '${text}': invalid mount config for type "${kind}": ${problem}`);
}

/** What is wrong with a path inside the container, null when nothing is. */
export function targetProblem(target: string): string | null {
  if (target === "") return "field Target must not be empty";
  if (!target.startsWith("/")) return `invalid mount path: '${target}' mount path must be absolute`;
  if (/^\/[/.]*$/.test(target)) return "invalid specification: destination can't be '/'";
  return null;
}
