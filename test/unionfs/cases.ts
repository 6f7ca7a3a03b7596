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

const plain: Mounting = { options: "redirect_dir=off,metacopy=off,xino=off", isOneFileSystem: true };
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
  onLayers("a file of a lower layer that lost its name gets no other one", metacopy, [
    "open 0 b wc 644; link b c; link b e",
    "open 1 b r; open 2 c r; unlink b; flink 1 d; unlink c; flink 2 d; fstat 2",
  ]),
  onLayers(
    "a redirect that is not followed is refused however many layers there are",
    {
      options: "redirect_dir=nofollow,metacopy=off,xino=off",
      below: "redirect_dir=on,metacopy=off,xino=off",
      isOneFileSystem: true,
    },
    ["", "mkdir c 755", "rename c a 0", "", "", "", "stat a; list ."],
  ),
  onLayers("the whiteout that a rename leaves belongs to the directory's group, that of unlink to root", plain, [
    "mkdir c 755; open 0 c/a wc 755; open 0 c/b wc 755; chown c 1000 1000; chmod c 2775",
    "rename c/a c/d 0; unlink c/b",
  ]),
  onLayers("a redirect of 256 bytes is made, one of 257 is EXDEV", metacopy, [
    `mkdir a 755; open 0 a/${"x".repeat(253)} wc 755; mkdir a/${"y".repeat(254)} 755; mkdir b 755`,
    `link a/${"x".repeat(253)} c; rename a/${"y".repeat(254)} b/c 0`,
  ]),
  onLayers("whose file it is comes before where its next name would be", plain, [
    "open 0 a wc 644",
    "as 1000 1000; open 0 a r; flink 0 b; link a b",
  ]),
];

function onLayers(name: string, mounting: Mounting, layers: readonly string[]): Case {
  return { name, mounting, steps: onOverlay(mounting, layers.map(commandsOf)) };
}

function commandsOf(text: string): Command[] {
  const commands = text.split(";").filter((command) => command.trim() !== "");
  return commands.map((command) => command.trim().split(" "));
}
