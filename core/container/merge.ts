/**
 * What a container is: what the user asked for, and where the user said nothing, what the image
 * says (moby: daemon/commit.go merge, daemon/create.go).
 */
import type { ContainerPath } from "../base/brand.ts";
import { TsboxError } from "../base/error.ts";
import type { ImageDefaults } from "../image/image.ts";
import type { Config } from "./config.ts";

/** Throws TsboxError "invalid" when neither names a program. */
export function mergeConfig(asked: Config, image: ImageDefaults): Config {
  return {
    ...asked,
    user: asked.user === "" ? image.user : asked.user,
    env: mergeEnv(asked.env, image.env),
    ...mergeCommand(asked, image),
    workingDir: asked.workingDir === "" ? image.workingDir : asked.workingDir,
    labels: { ...image.labels, ...asked.labels },
    volumes: union(asked.volumes, image.volumes as readonly ContainerPath[]),
    exposedPorts: union(asked.exposedPorts, image.exposedPorts),
    stopSignal: asked.stopSignal ?? image.stopSignal,
  };
}

/** What the user set comes first; a variable of the image counts only where the user does not set it. */
function mergeEnv(asked: readonly string[], image: readonly string[]): string[] {
  const set = new Set(asked.map(nameOf));
  return [...asked, ...image.filter((variable) => !set.has(nameOf(variable)))];
}

function nameOf(variable: string): string {
  return variable.split("=", 1)[0] ?? "";
}

/** An entrypoint of the user's own drops the image's command: that was meant for the image's entrypoint. */
function mergeCommand(asked: Config, image: ImageDefaults): Pick<Config, "entrypoint" | "cmd"> {
  const ownEntrypoint = asked.entrypoint !== null && asked.entrypoint.length > 0;
  const cmd = !ownEntrypoint && (asked.cmd ?? []).length === 0 ? image.cmd : asked.cmd;
  const entrypoint = asked.entrypoint ?? image.entrypoint;
  return { cmd, entrypoint: isReset(entrypoint) ? null : entrypoint };
}

/** `--entrypoint ""` is sent as [""]: no entrypoint, not even the image's. */
function isReset(entrypoint: readonly string[] | null): boolean {
  return entrypoint !== null && entrypoint.length === 1 && entrypoint[0] === "";
}

function union<T extends string>(asked: readonly T[], image: readonly T[]): T[] {
  return [...new Set([...asked, ...image])];
}

/** Entrypoint and command together. Throws TsboxError "invalid" when there is neither. */
export function commandOf(config: Pick<Config, "entrypoint" | "cmd">): [string, ...string[]] {
  const [program, ...args] = [...(config.entrypoint ?? []), ...(config.cmd ?? [])];
  if (program === undefined) throw new TsboxError("invalid", "no command specified");
  return [program, ...args];
}
