/**
 * The volumes of the machine: <data root>/volumes/<name>/ holds the directory `_data`, which
 * containers mount, and volume.json. The file comes last when a volume is made and goes first when
 * it is removed, so a directory without it is rubbish. All of them are kept in memory as well.
 */
import type { HostPath } from "../base/brand.ts";
import { decodeBytes, encodeText, hex } from "../base/bytes.ts";
import { messageOf, TsboxError } from "../base/error.ts";
import type { Ports } from "../base/ports.ts";
import { formatTime } from "../base/time.ts";
import type { Volume } from "./volume.ts";

/** What the store needs of Disk (engine/machine.ts). */
export interface VolumeDisk {
  readonly dataRoot: HostPath;
  read(path: HostPath): Promise<Uint8Array>;
  stat(path: HostPath): Promise<unknown>;
  writeAtomically(path: HostPath, bytes: Uint8Array): Promise<void>;
  makeDirectory(path: HostPath, mode?: number): Promise<void>;
  list(path: HostPath): Promise<string[]>;
  remove(path: HostPath): Promise<void>;
}

const form = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/** Throws TsboxError "invalid" in docker's words (moby: volume/local). */
export function checkVolumeName(name: string): void {
  if (name.length === 1 && form.test(name))
    throw new TsboxError("invalid", "volume name is too short, names should be at least two alphanumeric characters");
  if (form.test(name) && name.length <= 255) return;
  const hint = name.includes("/") ? " If you intended to pass a host directory, use absolute path" : "";
  throw new TsboxError(
    "invalid",
    `create ${name}: ${JSON.stringify(name)} includes invalid characters for a local volume name, ` +
      `only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed.${hint}`,
  );
}

/** Reads the volumes of the disk; what was half made or half removed goes away. */
export async function openVolumes(disk: VolumeDisk, ports: Pick<Ports, "clock" | "random">): Promise<VolumeStore> {
  const names = await disk.list(`${disk.dataRoot}/volumes` as HostPath);
  const found = await Promise.all(names.map((name) => readVolume(disk, name)));
  return new VolumeStore(
    disk,
    ports,
    found.flatMap((volume) => volume ?? []),
  );
}

async function readVolume(disk: VolumeDisk, name: string): Promise<Volume | null> {
  const path = metadataOf(disk, name);
  if ((await disk.stat(path)) === null) {
    await disk.remove(directoryOf(disk, name));
    return null;
  }
  try {
    return JSON.parse(decodeBytes(await disk.read(path))) as Volume;
  } catch (error) {
    throw new TsboxError("corrupt", `${path}: not a volume's file: ${messageOf(error)}; move it away to go on`);
  }
}

function directoryOf(disk: VolumeDisk, name: string): HostPath {
  return `${disk.dataRoot}/volumes/${name}` as HostPath;
}

function metadataOf(disk: VolumeDisk, name: string): HostPath {
  return `${directoryOf(disk, name)}/volume.json` as HostPath;
}

export class VolumeStore {
  readonly #disk: VolumeDisk;
  readonly #ports: Pick<Ports, "clock" | "random">;
  readonly #volumes: Map<string, Volume>;
  /** Volumes on their way, so that two who want the same one share it. */
  readonly #making = new Map<string, Promise<Volume>>();

  constructor(disk: VolumeDisk, ports: Pick<Ports, "clock" | "random">, volumes: readonly Volume[]) {
    this.#disk = disk;
    this.#ports = ports;
    this.#volumes = new Map(volumes.map((volume) => [volume.name, volume]));
  }

  list(): Volume[] {
    return [...this.#volumes.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  get(name: string): Volume | null {
    return this.#volumes.get(name) ?? null;
  }

  /** The volume of that name, made if it is not there; null makes an anonymous one. */
  async make(name: string | null, labels: Volume["labels"]): Promise<{ volume: Volume; made: boolean }> {
    const chosen = name ?? hex(this.#ports.random.bytes(32));
    checkVolumeName(chosen);
    const known = this.#volumes.get(chosen) ?? this.#making.get(chosen);
    if (known !== undefined) return { volume: await known, made: false };
    const making = this.#make(chosen, name === null, labels).finally(() => this.#making.delete(chosen));
    this.#making.set(chosen, making);
    return { volume: await making, made: true };
  }

  async #make(name: string, anonymous: boolean, labels: Volume["labels"]): Promise<Volume> {
    const path = `${directoryOf(this.#disk, name)}/_data` as HostPath;
    const volume: Volume = { name, path, createdAt: formatTime(this.#ports.clock.now()), labels, anonymous };
    await this.#disk.makeDirectory(path, 0o755);
    try {
      await this.#disk.writeAtomically(metadataOf(this.#disk, name), encodeText(JSON.stringify(volume)));
    } catch (error) {
      await this.#disk.remove(directoryOf(this.#disk, name));
      throw error;
    }
    this.#volumes.set(name, volume);
    return volume;
  }

  /** Removes a volume with its data; that nobody uses it is the caller's to know. */
  async remove(name: string): Promise<void> {
    await this.#disk.remove(metadataOf(this.#disk, name));
    await this.#disk.remove(directoryOf(this.#disk, name));
    this.#volumes.delete(name);
  }
}
