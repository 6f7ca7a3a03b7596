/** What the API tells of this program and this machine, found out once at the start. */
import { randomBytes } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { fileURLToPath } from "node:url";
import type { SystemInfo } from "../api/system-info.ts";
import type { Clock } from "../core/base/ports.ts";

export function systemInfo({
  idFile,
  ...options
}: {
  dataRoot: string;
  storageDriver: string;
  debug: boolean;
  clock: Clock;
  hostName: string;
  operatingSystem: string;
  /** Where the engine's id is kept; null: it gets a new one each time. */
  idFile: string | null;
}): SystemInfo {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return {
    version,
    commit: "",
    buildTime: statSync(fileURLToPath(import.meta.url)).mtime.toISOString(),
    runtime: `node ${process.version}`,
    id: idFile === null ? newId() : engineId(idFile),
    advance: null,
    ...options,
  };
}

/** The id of a data root, made at its first use. */
function engineId(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    const id = newId();
    writeFileSync(path, `${id}\n`);
    return id;
  }
}

function newId(): string {
  return randomBytes(32).toString("hex");
}

export function hostName(): string {
  return hostname();
}

/** PRETTY_NAME of os-release(5). */
export function operatingSystem(): string {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "Linux";
  } catch {
    return "Linux";
  }
}
