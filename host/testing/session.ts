/** A person at the simulated host's console, for tests: time jumps, what is typed is answered before it goes on. */
import { jumping } from "../../backends/sim/kernel/pace.ts";
import { decodeBytes, encodeText } from "../../core/base/bytes.ts";
import { wasmHasher } from "../codecs.ts";
import { type HostOptions, type SimulatedHost, startHost } from "../host.ts";

/** 2026-01-01T00:00:00Z */
const bootTime = 1_767_225_600_000_000_000n;
const escapes = new RegExp(`${String.fromCharCode(27)}\\[[0-9;?]*[A-Za-z]`, "g");

export class Session {
  readonly host: SimulatedHost;
  readonly #printed: () => string;

  private constructor(host: SimulatedHost, printed: () => string) {
    this.host = host;
    this.#printed = printed;
  }

  static async begin(pause: () => Promise<void>, options: Partial<HostOptions> = {}): Promise<Session> {
    let printed = "";
    const host = startHost({
      seed: 1,
      now: bootTime,
      pace: jumping(pause),
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
    return new Session(host, () => printed);
  }

  /** Types a line and gives what is printed until nothing more happens, without the prompt. */
  async run(command: string): Promise<string> {
    const before = this.#printed().length;
    await this.press(`${command}\r`);
    const [, ...lines] = this.#printed().slice(before).replaceAll(escapes, "").replaceAll("\r\n", "\n").split("\n");
    return lines.slice(0, -1).join("\n");
  }

  async press(keys: string): Promise<void> {
    this.host.console.type(encodeText(keys));
    await this.host.kernel.turns.run();
  }
}
