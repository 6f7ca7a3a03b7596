/** Scripts for both: the kernel, by oracle.c, and core/unionfs, by performing.ts. */
import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { scratch } from "../../backends/linux/testing/scratch.ts";
import { decodeBytes, encodeText } from "../../core/base/bytes.ts";
import type { Command } from "./performing.ts";
import type { Step } from "./surroundings.ts";

/** How a union is mounted. */
export interface Mounting {
  readonly options: string;
  /** How it was mounted when the lower layers were written, if otherwise. */
  readonly below?: string;
  /** Whether all layers lie on one file system. */
  readonly isOneFileSystem: boolean;
  readonly isReadOnly?: boolean;
}

const fixed = "index=off,nfs_export=off";

export const mountings: readonly Mounting[] = [
  { options: "redirect_dir=off,metacopy=off,xino=off", isOneFileSystem: true },
  { options: "redirect_dir=on,metacopy=off,xino=off", isOneFileSystem: true },
  { options: "redirect_dir=on,metacopy=on,xino=off", isOneFileSystem: true },
  { options: "redirect_dir=off,metacopy=off,xino=off", isOneFileSystem: false },
  { options: "redirect_dir=on,metacopy=on,xino=on", isOneFileSystem: false },
  { options: "userxattr,xino=off", isOneFileSystem: true },
  {
    options: "redirect_dir=follow,metacopy=off,xino=off",
    below: "redirect_dir=on,metacopy=on,xino=off",
    isOneFileSystem: true,
  },
  {
    options: "redirect_dir=nofollow,metacopy=off,xino=off",
    below: "redirect_dir=on,metacopy=off,xino=off",
    isOneFileSystem: true,
  },
  { options: "redirect_dir=off,metacopy=off,xino=off", isOneFileSystem: true, isReadOnly: true },
];

export interface Oracle {
  /** What the kernel says to a script, line by line. */
  readonly run: (script: readonly Command[]) => Promise<string[]>;
  readonly close: () => void;
}

const endOfScript = "=";

/** One process for all scripts; where this machine cannot run it, the reason. */
export function openOracle(): Oracle | string {
  if (process.getuid?.() !== 0) return "mounting needs root";
  const directory = scratch("oracle", tmpdir());
  const program = join(directory, "oracle");
  const source = join(import.meta.dirname, "oracle.c");
  const compiled = spawnSync("gcc", ["-std=gnu2x", "-O2", "-o", program, source]);
  if (compiled.status !== 0) {
    rmSync(directory, { recursive: true });
    return "there is no C compiler here";
  }
  let child = start(program);
  const run = async (script: readonly Command[]): Promise<string[]> => {
    if (child.exitCode !== null) child = start(program);
    const lines = script.map((command) => `${command.join("\t")}\n`).join("");
    child.stdin.write(encodeText(`${lines}${endOfScript}\n`));
    const answer = decodeBytes(Buffer.from(await answerOf(child.stdout), "latin1"));
    return answer.split("\n").slice(0, -2);
  };
  const close = (): void => {
    child.stdin.end();
    rmSync(directory, { recursive: true });
  };
  return { run, close };
}

type OracleProcess = ChildProcessByStdio<Writable, Readable, null>;

/** It has a mount namespace of its own: what a failed script left goes with it. */
function start(program: string): OracleProcess {
  const child = spawn(program, { cwd: "/", stdio: ["pipe", "pipe", "inherit"] });
  child.stdout.setEncoding("latin1");
  return child;
}

async function answerOf(output: Readable): Promise<string> {
  let text = "";
  while (!text.endsWith(`\n${endOfScript}\n`)) {
    const chunk = output.read() as string | null;
    if (chunk !== null) text += chunk;
    else if (output.readableEnded) throw new Error(`the oracle ended after: ${text.slice(-500)}`);
    else await once(output, output.readable ? "readable" : "end");
  }
  return text;
}

/** One after the other in a tmpfs of its own, a view after each step. */
export function onTmpfs(steps: readonly Step[], options = "mode=755"): Step[] {
  return [
    ["mount", "/mnt", "tmpfs", options, ""],
    ["enter", "/mnt"],
    ...steps.flatMap((step) => watched(step, [["view", "b"]])),
    ["leave"],
    ["umount", "/mnt"],
  ];
}

/** The same where there may be mounts in it at the end. */
export function onTmpfsWithMounts(steps: readonly Step[]): Step[] {
  return [...onTmpfs(steps).slice(0, -1), ["drop", "/mnt"]];
}

/** What is done through the union; or that, and what is done to the layer itself afterwards. */
export type Layer = readonly Step[] | { readonly steps: readonly Step[]; readonly marks: readonly Step[] };

/**
 * Layers from the bottom: each is written through a union on those below it, so that it has whatever
 * overlayfs writes there. The last is the upper one, then mounted anew. Looking finds all names: it is
 * done after every step, or more seldom, so that a step meets names that nobody has looked for yet.
 */
export function onOverlay(mounting: Mounting, layers: readonly Layer[], lookEvery = 1, upperLimits = ""): Step[] {
  const at = (number: number): string => (mounting.isOneFileSystem ? "/mnt" : `/mnt/fs${number}`);
  const last = layers.length - 1;
  const { below = mounting.options } = mounting;
  const looksAt = (number: number): Command[] => [["view"], ["upper", `${at(number)}/l${number}`]];
  return [
    ["mount", "/mnt", "tmpfs", "mode=755", ""],
    ["mkdir!", "/mnt/m", "755"],
    ...layers.flatMap((_, number) => homeOf(at(number), number, mounting, number === last ? upperLimits : "")),
    ...layers.flatMap((layer, number) => {
      const { steps, marks } = "marks" in layer ? layer : { steps: layer, marks: [] };
      const mounted = unionOf(
        number === last ? mounting : { ...mounting, options: below, isReadOnly: false },
        at,
        number,
      );
      const all =
        number === last
          ? steps.flatMap((step, index) => (index % lookEvery === 0 ? watched(step, looksAt(last)) : [step]))
          : steps;
      const marking: Step[] =
        marks.length === 0 ? [] : [["enter", `${at(number)}/l${number}`], ["view"], ...marks, ["leave"]];
      return [...mounted.before, ...all, ...looksAt(number), ["leave"], ...mounted.after, ...marking];
    }),
    ...again(unionOf(mounting, at, last)),
    ...(mounting.isOneFileSystem ? [] : layers.map((_, number) => ["umount", at(number)])),
    ["umount", "/mnt"],
  ];
}

/** After each command of a step we look. */
function watched(step: Step, looks: readonly Command[]): Step[] {
  if (typeof step !== "function") return [step, ...looks];
  return [(around) => step(around).flatMap((command) => [command, ...looks])];
}

function homeOf(directory: string, number: number, { isOneFileSystem }: Mounting, limits: string): Command[] {
  const own: Command[] = isOneFileSystem
    ? []
    : [
        ["mkdir!", directory, "755"],
        ["mount", directory, "tmpfs", limits === "" ? "mode=755" : `mode=755,${limits}`, ""],
      ];
  return [...own, ["mkdir!", `${directory}/l${number}`, "755"], ["mkdir!", `${directory}/w${number}`, "755"]];
}

function unionOf(
  { options, isReadOnly = false }: Mounting,
  at: (number: number) => string,
  number: number,
): { before: Command[]; after: Command[] } {
  if (number === 0) return { before: [["enter", `${at(0)}/l0`]], after: [] };
  const lowers = Array.from({ length: number }, (_, lower) => `${at(lower)}/l${lower}`).toReversed();
  const layers = `lowerdir=${lowers.join(":")},upperdir=${at(number)}/l${number},workdir=${at(number)}/w${number}`;
  return {
    before: [
      ["mount", "/mnt/m", "overlay", `${fixed},${options},${layers}`, isReadOnly ? "r" : ""],
      ["enter", "/mnt/m"],
    ],
    after: [["umount", "/mnt/m"]],
  };
}

function again({ before, after }: { before: Command[]; after: Command[] }): Command[] {
  return [...before, ["view"], ["leave"], ...after];
}

/**
 * Where a copy came from is an xattr, and "user." ones cannot be set on what is neither file nor directory: with
 * userxattr the kernel gives a new name of such a copy another number than its old name has, until both are forgotten.
 * We do not, and do not compare it.
 */
export function comparable(mounting: Mounting | null, lines: readonly string[]): string[] {
  const isOpen = mounting?.options.startsWith("userxattr") === true;
  return renumbered(
    isOpen ? lines.map((line) => line.replace(/((?:symlink|character|block|fifo|socket) .*) #\S+/, "$1")) : lines,
  );
}

/** Inode and device numbers of each place entered, in the order in which they come up: what is one file must be one on both sides. */
function renumbered(lines: readonly string[]): string[] {
  const known = new Map<string, number>();
  return lines.map((line) => {
    if (line === "entered") known.clear();
    return line.replace(/#[0-9a-f]+:[0-9a-f]+/g, (text) => {
      if (!known.has(text)) known.set(text, known.size);
      return `#${known.get(text)}`;
    });
  });
}

/** The first command with another outcome, after what came before it; null: there is none. */
export function firstDifference(
  script: readonly Command[],
  ours: readonly string[],
  theirs: readonly string[],
): string | null {
  const at = ours.findIndex((line, index) => line !== theirs[index]);
  if (at < 0)
    return ours.length === theirs.length ? null : `${ours.length} lines where the kernel has ${theirs.length}`;
  const told: string[] = [];
  for (let line = 0, number = 0; line <= at; number++) {
    const command = script[number] ?? [];
    const isView = command[0] === "view" || command[0] === "upper";
    const end = isView ? theirs.indexOf(".", line) + 1 : line + 1;
    const isHere = at < end || end === 0;
    if (!isView || isHere) told.push(`${command.join(" ")}: ${isView ? "" : theirs[line]}`);
    if (end === 0) break;
    line = end;
  }
  return `${told.join("\n")}\nours:   ${ours[at]}\nkernel: ${theirs[at]}`;
}
