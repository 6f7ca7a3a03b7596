/** A person at the simulated host's console, for tests: time jumps, what is typed is answered before it goes on. */
import { InputLog, type LogEntry } from "../../backends/sim/input-log.ts";
import { jumping } from "../../backends/sim/kernel/pace.ts";
import { decodeBytes, encodeText } from "../../core/base/bytes.ts";
import { wasmHasher } from "../hasher.ts";
import { type HostOptions, type SimulatedHost, startHost } from "../host.ts";

/** 2026-01-01T00:00:00Z */
const bootTime = 1_767_225_600_000_000_000n;
const escapes = new RegExp(`${String.fromCharCode(27)}\\[[0-9;?]*[A-Za-z]`, "g");

export class Session {
  readonly host: SimulatedHost;
  /** What came in, and how time went. */
  readonly entries: readonly LogEntry[];
  readonly #printed: () => string;
  readonly #files: Map<string, Uint8Array>;

  private constructor(parts: {
    host: SimulatedHost;
    entries: LogEntry[];
    printed: () => string;
    files: Map<string, Uint8Array>;
  }) {
    this.host = parts.host;
    this.entries = parts.entries;
    this.#printed = parts.printed;
    this.#files = parts.files;
  }

  static async begin(pause: () => Promise<void>, options: Partial<HostOptions> = {}): Promise<Session> {
    let printed = "";
    const entries: LogEntry[] = [];
    const files = new Map<string, Uint8Array>();
    const log = new InputLog({ replay: [], live: () => jumping(pause), pause, sink: (entry) => entries.push(entry) });
    const host = startHost({
      seed: 1,
      now: bootTime,
      log,
      fileOf: (digest) => files.get(digest) ?? new Uint8Array(0),
      pause,
      hasher: await wasmHasher(),
      embedded: () => null,
      size: { rows: 24, columns: 200 },
      screen: (bytes) => {
        printed += decodeBytes(bytes);
        return Promise.resolve();
      },
      ...options,
    });
    await host.kernel.turns.run();
    return new Session({ host, entries, printed: () => printed, files });
  }

  /** Types a line and gives what is printed until nothing more happens, without the prompt. */
  async run(command: string): Promise<string> {
    const before = this.#printed().length;
    await this.press(`${command}\r`);
    const [, ...lines] = this.#printed().slice(before).replaceAll(escapes, "").replaceAll("\r\n", "\n").split("\n");
    return lines.slice(0, -1).join("\n");
  }

  async press(keys: string): Promise<void> {
    this.host.type(encodeText(keys));
    await this.host.kernel.turns.run();
  }

  /** Puts a file into root's home directory. */
  give(name: string, bytes: Uint8Array): void {
    this.#files.set(name, bytes);
    this.host.addFile(name, name);
  }
}
