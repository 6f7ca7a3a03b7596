/** Who waits for a container's end or removal. Every wait is answered: an end, a failed start and a removal tell. */
import type { WaitResult } from "./engine.ts";

type Tell = (result: WaitResult) => void;

export class Waits {
  #exit: Tell[] = [];
  #removal: Tell[] = [];

  nextExit(): Promise<WaitResult> {
    return new Promise((resolve) => this.#exit.push(resolve));
  }

  removal(): Promise<WaitResult> {
    return new Promise((resolve) => this.#removal.push(resolve));
  }

  tellExit(result: WaitResult): void {
    const waiting = this.#exit;
    this.#exit = [];
    for (const tell of waiting) tell(result);
  }

  tellRemoval(result: WaitResult): void {
    this.tellExit(result);
    const waiting = this.#removal;
    this.#removal = [];
    for (const tell of waiting) tell(result);
  }
}
