/**
 * The meter of a running program: fuel it has burnt becomes processor time of its process. Eight
 * counted instructions are a nanosecond: with what is counted too much, about what processors make of them. The program comes by when its grant is
 * used up, and at every call that may wait or that tells the time.
 */
import type { Sys } from "../kernel/sys.ts";
import type { Global } from "./web-assembly.ts";

const instructionsPerNano = 8;
/** An eighth of a millisecond. */
const grant = 1_000_000;

export class Meter {
  readonly #sys: Sys;
  readonly #fuel: Global;

  constructor(sys: Sys, fuel: Global) {
    this.#sys = sys;
    this.#fuel = fuel;
    fuel.value = grant;
  }

  /** Pays for what was burnt; others may have their turns meanwhile. */
  async settle(): Promise<void> {
    const burnt = grant - this.#fuel.value;
    this.#fuel.value = grant;
    if (burnt > 0) await this.#sys.work(burnt / instructionsPerNano);
  }
}
