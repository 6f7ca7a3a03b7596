/**
 * Fixed scripts, each about one thing that core/unionfs must do as the kernel does. Commands are divided by ";", their
 * fields by spaces, layers are given from the bottom; what the kernel says is asked (kernel.test.ts) or was recorded (record.ts).
 */
import { type Mounting, onOverlay } from "./against-kernel.ts";
import type { Command } from "./performing.ts";

export interface Case {
  /** A sentence about what the kernel does. */
  readonly name: string;
  readonly mounting: Mounting | null;
  readonly script: readonly Command[];
}

const metacopy: Mounting = { options: "redirect_dir=on,metacopy=on,xino=off", isOneFileSystem: true };

export const cases: readonly Case[] = [
  onLayers("opening a file without data for writing brings its data, which changes its mtime", metacopy, [
    "open 0 a wc 755; write 0 70000 65",
    "utimes a 3 4",
    "link a b; chmod a 700; open 0 a wa",
  ]),
  onLayers("bringing the data of a file that is empty or all holes leaves its mtime", metacopy, [
    "open 0 a wc 755; open 1 b wc 755; ftruncate 1 5000",
    "utimes a 3 4; utimes b 3 4",
    "chmod a 700; chmod b 700; open 0 a w; open 1 b w",
  ]),
];

function onLayers(name: string, mounting: Mounting, layers: readonly string[]): Case {
  return { name, mounting, script: onOverlay(mounting, layers.map(commandsOf)) };
}

function commandsOf(text: string): Command[] {
  return text.split(";").map((command) => command.trim().split(" "));
}
