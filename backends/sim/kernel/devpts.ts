/**
 * devpts: the file system of pseudo terminals. Each mount is an instance of its own, with numbers from 0
 * and a ptmx; the node of a terminal goes when its master's side is closed.
 */
import { Tree } from "../../../core/unionfs/tree.ts";
import type { Terminal } from "./terminal.ts";

const slaveMajor = 136;

export class Devpts extends Tree {
  readonly terminals = new Map<number, Terminal>();

  constructor(now: () => bigint, mode: number) {
    super(now);
    this.create(this.root, "ptmx", { kind: "character", major: 5, minor: 2, mode, uid: 0, gid: 0 });
  }

  /** Gives a terminal its number and node. */
  add(terminal: Terminal, owner: { uid: number; gid: number }): number {
    let number = 0;
    while (this.terminals.has(number)) number++;
    this.terminals.set(number, terminal);
    this.create(this.root, String(number), {
      kind: "character",
      major: slaveMajor,
      minor: number,
      mode: 0o620,
      ...owner,
    });
    terminal.hangUps.push(() => this.#remove(number));
    return number;
  }

  #remove(number: number): void {
    this.terminals.delete(number);
    this.forget(this.unlink(this.root, String(number)));
  }
}
