/**
 * The volumes of the machine: <data root>/volumes/<name>/ holds the directory `_data`, which
 * containers mount, and volume.json, which says the rest. Data matter more than what is said of
 * them: a volume whose file is lost or torn is kept. One that is being removed is first renamed to
 * ".<name>", which is no volume's name. All volumes are kept in memory as well.
 */
import type { HostPath } from "../base/brand.ts";
import { decodeBytes, encodeText, hex } from "../base/bytes.ts";
import { messageOf, TsboxError } from "../base/error.ts";
import type { Clock, Ports } from "../base/ports.ts";
import { formatTime } from "../base/time.ts";
import type { Volume } from "./volume.ts";

/** What the store needs of Disk (engine/machine.ts). */
export interface VolumeDisk {
  readonly dataRoot: HostPath;
  read(path: HostPath): Promise<Uint8Array>;
  writeAtomically(path: HostPath, bytes: Uint8Array): Promise<void>;
  makeDirectory(path: HostPath, mode?: number): Promise<void>;
  rename(from: HostPath, to: HostPath): Promise<void>;
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

/** Reads the volumes of the disk; what is left of a removal goes away. */
export async function openVolumes(disk: VolumeDisk, ports: Pick<Ports, "clock" | "random">): Promise<VolumeStore> {
  await disk.makeDirectory(`${disk.dataRoot}/volumes` as HostPath);
  const names = await disk.list(`${disk.dataRoot}/volumes` as HostPath);
  for (const name of names) if (name.startsWith(".")) await disk.remove(directoryOf(disk, name));
  const volumes = names.filter((name) => form.test(name)).map((name) => readVolume(disk, ports.clock, name));
  return new VolumeStore(disk, ports, await Promise.all(volumes));
}

async function readVolume(disk: VolumeDisk, clock: Clock, name: string): Promise<Volume> {
  try {
    return JSON.parse(decodeBytes(await disk.read(metadataOf(disk, name)))) as Volume;
  } catch {
    return { name, path: dataOf(disk, name), createdAt: formatTime(clock.now()), labels: {}, anonymous: false };
  }
}

function directoryOf(disk: VolumeDisk, name: string): HostPath {
  return `${disk.dataRoot}/volumes/${name}` as HostPath;
}

function dataOf(disk: VolumeDisk, name: string): HostPath {
  return `${directoryOf(disk, name)}/_data` as HostPath;
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
    const path = dataOf(this.#disk, name);
    const volume: Volume = { name, path, createdAt: formatTime(this.#ports.clock.now()), labels, anonymous };
    try {
      await this.#disk.makeDirectory(path, 0o755);
      await this.#disk.writeAtomically(metadataOf(this.#disk, name), encodeText(JSON.stringify(volume)));
    } catch (error) {
      await this.#disk.remove(directoryOf(this.#disk, name));
      throw new TsboxError("failed", `cannot create volume ${name}: ${messageOf(error)}`, {}, { cause: error });
    }
    this.#volumes.set(name, volume);
    return volume;
  }

  /** Removes a volume with its data; that nobody uses it is the caller's to know. */
  async remove(name: string): Promise<void> {
    const rubbish = directoryOf(this.#disk, `.${name}`);
    await this.#disk.rename(directoryOf(this.#disk, name), rubbish);
    this.#volumes.delete(name);
    await this.#disk.remove(rubbish);
  }
}
