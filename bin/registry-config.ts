/** What tsboxd is told about registries: a file in the form of Docker's daemon.json, and dockerd's flags. */
import { existsSync, readFileSync } from "node:fs";
import { encodeText } from "../core/base/bytes.ts";
import { TsboxError } from "../core/base/error.ts";
import { defaultRegistryConfig, parseRegistryConfig, type RegistryConfig } from "../core/image/registry/endpoints.ts";

export const standardConfigFile = "/etc/tsbox/daemon.json";

/** Tsbox's own first: a host that is in both is trusted by either. */
export const certificateDirectories = ["/etc/tsbox/certs.d", "/etc/docker/certs.d"];

export interface RegistryFlags {
  readonly configFile: string;
  readonly registryMirror: readonly string[];
  readonly insecureRegistry: readonly string[];
}

/** Throws TsboxError "invalid" naming the file or flag that is wrong. */
export function registryConfig({ configFile, registryMirror, insecureRegistry }: RegistryFlags): RegistryConfig {
  const isThere = existsSync(configFile);
  if (!isThere && configFile !== standardConfigFile)
    throw new TsboxError("invalid", `--config-file ${configFile}: there is no such file`);
  const file = isThere ? parseRegistryConfig(readFileSync(configFile), configFile) : defaultRegistryConfig;
  const flags = { "registry-mirrors": registryMirror, "insecure-registries": insecureRegistry };
  const { mirrors, insecure } = parseRegistryConfig(encodeText(JSON.stringify(flags)), "the command line");
  return { ...file, mirrors: [...mirrors, ...file.mirrors], insecure: [...insecure, ...file.insecure] };
}
