/**
 * The records of containers on disk. A container is its record: containers/<id>/record.json. The
 * record comes last when a container is made and goes first when it is removed, so a directory
 * without one is half made or half removed, and nothing but rubbish.
 */
import type { ContainerId, HostPath } from "../base/brand.ts";
import { decodeBytes, encodeText } from "../base/bytes.ts";
import { messageOf, TsboxError } from "../base/error.ts";
import type { ContainerRecord } from "./record.ts";

/** What the store needs of Disk (engine/machine.ts). */
export interface RecordDisk {
  readonly dataRoot: HostPath;
  read(path: HostPath): Promise<Uint8Array>;
  stat(path: HostPath): Promise<unknown>;
  writeAtomically(path: HostPath, bytes: Uint8Array): Promise<void>;
  list(path: HostPath): Promise<string[]>;
  remove(path: HostPath): Promise<void>;
}

/** The files of one container. */
export interface ContainerFiles {
  readonly directory: HostPath;
  readonly record: HostPath;
  readonly log: HostPath;
  readonly exit: HostPath;
  readonly hostname: HostPath;
  readonly hosts: HostPath;
  readonly resolvConf: HostPath;
}

export function filesOf(dataRoot: HostPath, id: ContainerId): ContainerFiles {
  const at = (name: string): HostPath => `${dataRoot}/containers/${id}${name}` as HostPath;
  return {
    directory: at(""),
    record: at("/record.json"),
    log: at("/output.log"),
    exit: at("/exit"),
    hostname: at("/hostname"),
    hosts: at("/hosts"),
    resolvConf: at("/resolv.conf"),
  };
}

export interface StoredContainers {
  readonly records: readonly ContainerRecord[];
  /** Directories without a record. */
  readonly rubbish: readonly ContainerId[];
  /** Why a record that is there cannot be read; such a container is left where it lies. */
  readonly unreadable: readonly Error[];
}

type Stored =
  | { readonly kind: "record"; readonly record: ContainerRecord }
  | { readonly kind: "rubbish"; readonly id: ContainerId }
  | { readonly kind: "unreadable"; readonly error: Error };

const idForm = /^[0-9a-f]{64}$/;

export class Records {
  readonly #disk: RecordDisk;

  constructor(disk: RecordDisk) {
    this.#disk = disk;
  }

  async load(): Promise<StoredContainers> {
    const names = await this.#disk.list(`${this.#disk.dataRoot}/containers` as HostPath);
    const ids = names.filter((name) => idForm.test(name)) as ContainerId[];
    const found = await Promise.all(ids.map((id) => this.#read(id)));
    return {
      records: found.flatMap((stored) => (stored.kind === "record" ? stored.record : [])),
      rubbish: found.flatMap((stored) => (stored.kind === "rubbish" ? stored.id : [])),
      unreadable: found.flatMap((stored) => (stored.kind === "unreadable" ? stored.error : [])),
    };
  }

  async #read(id: ContainerId): Promise<Stored> {
    const path = filesOf(this.#disk.dataRoot, id).record;
    if ((await this.#disk.stat(path)) === null) return { kind: "rubbish", id };
    try {
      const text = decodeBytes(await this.#disk.read(path));
      return { kind: "record", record: JSON.parse(text, revive) as ContainerRecord };
    } catch (error) {
      const message = `${path}: not a container's record (${messageOf(error)}): remove its directory to be rid of it`;
      return { kind: "unreadable", error: new TsboxError("corrupt", message, {}, { cause: error }) };
    }
  }

  async save(record: ContainerRecord): Promise<void> {
    const text = JSON.stringify(record, replace);
    await this.#disk.writeAtomically(filesOf(this.#disk.dataRoot, record.id).record, encodeText(text));
  }

  /** From here on the container does not exist; its other files may still be there. */
  async forget(id: ContainerId): Promise<void> {
    await this.#disk.remove(filesOf(this.#disk.dataRoot, id).record);
  }
}

/** A plan may hold 64-bit numbers (seccomp arguments), which JSON does not know. */
function replace(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? { $bigint: String(value) } : value;
}

function revive(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("$bigint" in value)) return value;
  return BigInt(String(value.$bigint));
}
