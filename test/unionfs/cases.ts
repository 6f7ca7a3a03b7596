/**
 * Fixed scripts, each about one thing that core/unionfs must do as the kernel does. Commands are divided by ";", their
 * fields by spaces, layers are given from the bottom; what the kernel says is asked (kernel.test.ts) or was recorded (record.ts).
 */
import { type Mounting, onOverlay } from "./against-kernel.ts";
import type { Command } from "./performing.ts";
import type { Step } from "./surroundings.ts";

export interface Case {
  /** A sentence about what the kernel does. */
  readonly name: string;
  readonly mounting: Mounting | null;
  readonly steps: readonly Step[];
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
  onLayers("a redirect within the directory that another redirect led to starts from there", metacopy, [
    "open 0 a wc 755; write 0 5 65; link a c",
    "rename c a 2",
    "rename c a 2",
    "mkdir d 755; rename a d/a 0",
    "lstat d/a",
  ]),
  onLayers("cutting a file to the size it has dates it unless it has no page", metacopy, [
    "open 0 a wc 755; write 0 5 65; open 1 b wc 755; open 2 c wc 755; ftruncate 2 5000; utimes a 3 4; utimes b 3 4; utimes c 3 4",
    "truncate a 5; truncate b 0; truncate c 5000; utimes a 3 4; truncate a 5",
  ]),
];

function onLayers(name: string, mounting: Mounting, layers: readonly string[]): Case {
  return { name, mounting, steps: onOverlay(mounting, layers.map(commandsOf)) };
}

function commandsOf(text: string): Command[] {
  return text.split(";").map((command) => command.trim().split(" "));
}
