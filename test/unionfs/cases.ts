/**
 * Fixed scripts, each about one thing that core/unionfs must do as the kernel does. Commands are divided by ";", their
 * fields by spaces, layers are given from the bottom; what the kernel says is asked (kernel.test.ts) or was recorded (record.ts).
 */
import { type Layer, type Mounting, onOverlay, onTmpfs } from "./against-kernel.ts";
import type { Command } from "./performing.ts";
import type { Step } from "./surroundings.ts";

export interface Case {
  /** A sentence about what the kernel does. */
  readonly name: string;
  readonly mounting: Mounting | null;
  readonly steps: readonly Step[];
}

const plain: Mounting = { options: "redirect_dir=off,metacopy=off,xino=off", isOneFileSystem: true };
const apart: Mounting = { ...plain, isOneFileSystem: false };
const readOnly: Mounting = { ...plain, isReadOnly: true };
const xattrs: Mounting = { options: "userxattr,xino=off", isOneFileSystem: true };
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
  onLayers("a layer's root is merged, opaque or not", plain, [
    "open 0 a wc 755; mkdir d 755; open 0 d/b wc 755",
    "chmod d 700 # setx . trusted.overlay.opaque y; setx d trusted.overlay.opaque y",
    "stat a; stat d/b",
  ]),
  onLayers("a whiteout with nothing below is listed and not found, until its directory is copied up", plain, [
    "mkdir d 755 # mknod d/w character 0 0 0",
    "list d; lstat d/w; chmod d 700; list d; rmdir d",
  ]),
  onLayers("an empty file is a whiteout by its xattr, and unlisted where its directory says so", xattrs, [
    "mkdir d 755; open 0 d/a wc 755; open 0 d/b wc 755; write 0 5 65; mkdir e 755; open 0 e/a wc 755",
    "chmod d/a 700; chmod d/b 700; chmod e/a 700 # setx d user.overlay.opaque x; setx d/a user.overlay.whiteout y; setx d/b user.overlay.whiteout y; setx e/a user.overlay.whiteout y",
    "list d; lstat d/a; list e; lstat e/a; rmdir e; open 0 d/a wcx 755; unlink d/b; list d",
  ]),
  onLayers("a redirect is a name, or a path whose parts are names", metacopy, [
    "mkdir a 755; mkdir a/b 755; open 0 a/b/c wc 755; mkdir d 755; mkdir e 755; mkdir f 755; mkdir g 755; mkdir h 755",
    "chmod d 700; chmod e 700; chmod f 700; chmod g 700; chmod h 700 # setx d trusted.overlay.redirect a/b; setx e trusted.overlay.redirect /a/b; setx f trusted.overlay.redirect /a/..; setx g trusted.overlay.redirect /; setx h trusted.overlay.redirect",
    "list d; list e; list f; list g; list h",
  ]),
  onLayers("what is marked as having its data elsewhere has it there, or cannot be looked up", metacopy, [
    "open 0 a wc 755; write 0 5 65; open 0 b wc 755",
    "setx a user.a v; setx b user.a v; open 0 c wc 755 # setx a trusted.overlay.redirect c; setx b trusted.overlay.metacopy v; setx c trusted.overlay.metacopy",
    "open 0 a r; stat b; stat c; unlink c",
  ]),
  onLayers("a file's copy has the size it is said to have, whatever the layer with its data says", metacopy, [
    "open 0 a wc 755; write 0 5 65; open 1 b wc 755",
    "chmod a 700; truncate b 5; utimes b 3 4",
    "chmod b 700 # truncate a 0",
    "open 0 a w; open 1 b w",
  ]),
  onTree("a file made without a name is named once", "mode=755", "open 0 . rwu 755; flink 0 c; unlink c; flink 0 d"),
  onTree(
    "in a sticky directory for all, O_CREAT opens nobody else's device",
    "mode=755",
    "mkdir d 1777; mknod d/a block 666 1 3; chown d/a 1000 0; open 0 d/a rwc 644; open 0 d/a rw; chmod d 1755; open 0 d/a rwc 644",
  ),
  onTree(
    "names and attributes take room for inodes",
    "mode=755,nr_inodes=5",
    "mkdir a 755; open 0 b wc 644; link b c; link b d; link b e; unlink c; setx a user.a v; mkdir c 755; rmx a user.a; mkdir c 755; rename c d; rename d a 0",
  ),
  onTree(
    "a symlink to a long path takes a page",
    "mode=755,size=8192",
    `symlink ${"x".repeat(127)} a; symlink ${"x".repeat(128)} b; open 0 c wc 644; write 0 70000 65; symlink ${"x".repeat(128)} d; unlink b; write 0 70000 65; symlink ${"x".repeat(128)} d`,
  ),
  onTree(
    "a write that finds no room dates the file and takes its set-id bits all the same",
    "mode=755,size=16384",
    "open 0 a wc 6777; write 0 70000 65; utimes a 3 4; as 1000 1000; open 1 a wa; write 1 4096 65; write 1 0 65; truncate a 5; write 1 1 65",
  ),
  {
    name: "a copy for which there is no room leaves nothing; what is cut at once needs none",
    mounting: apart,
    steps: onOverlay(
      apart,
      [
        commandsOf(
          "mkdir d 755; open 0 d/a wc 644; write 0 70000 65; open 0 b wc 644; write 0 70000 65; open 0 c wc 644",
        ),
        commandsOf("open 0 d/a w; chmod d/a 600; link d/a e; open 0 b wt; write 0 70000 65; open 1 c w; write 1 1 65"),
      ],
      1,
      "size=20480",
    ),
  },
  {
    name: "to what is mounted read-only nothing is written, and that is said first",
    mounting: readOnly,
    steps: onOverlay(readOnly, [
      commandsOf("open 0 a wc 600; mkdir d 700; symlink a l"),
      commandsOf(
        `as 1000 1000; open 0 a rw; open 0 a r; access a 2; access d 2; chmod a 777; unlink a; unlink x; mkdir x 755; mkdir d 755; rename a b; link a b; truncate a 0; setx a user.a v; utimes a 3 4; open 0 x wc 644; chown l 0 0 n; unlink ${"x".repeat(256)}; rmdir ${"x".repeat(256)}; mkdir ${"x".repeat(256)} 755`,
      ),
    ]),
  },
  onLayers("a merged directory is read as it was when its reading began, until it is rewound", plain, [
    "mkdir d 755; open 0 d/a wc 755; open 0 d/b wc 755; open 0 d/c wc 755; open 0 d/e wc 755",
    "open 0 d/f wc 755; unlink d/b; scan 0 d 2; unlink d/a; open 0 d/z wc 755; unlink d/e; open 0 d/b wc 755; rest 0; back 0; rewind 0; end 0",
  ]),
];

/** Behind "#": what is done to the layer itself when it is written. */
function onLayers(name: string, mounting: Mounting, texts: readonly string[]): Case {
  const layers = texts.map((text): Layer => {
    const [steps = "", marks = ""] = text.split("#");
    return { steps: commandsOf(steps), marks: commandsOf(marks) };
  });
  return { name, mounting, steps: onOverlay(mounting, layers) };
}

function onTree(name: string, options: string, steps: string): Case {
  return { name, mounting: null, steps: onTmpfs(commandsOf(steps), options) };
}

function commandsOf(text: string): Command[] {
  const commands = text.split(";").filter((command) => command.trim() !== "");
  return commands.map((command) => command.trim().split(" "));
}
