/**
 * Scripts of system calls by several processes, and what the kernel answered. cases/NAME.txt has them, a blank line
 * between two; "#" begins a script's title. recorded/NAME.json is what record.ts got; it is never written by hand.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Script {
  readonly title: string;
  readonly lines: readonly string[];
}

export interface Played extends Script {
  /** What each line gave; what happened meanwhile is indented. */
  readonly answers: readonly string[];
}

export interface Recording {
  /** The kernel that answered. */
  readonly oracle: string;
  readonly played: readonly Played[];
}

export const recordedDirectory = join(import.meta.dirname, "recorded");
const casesDirectory = join(import.meta.dirname, "cases");

export function subjects(): string[] {
  return readdirSync(casesDirectory)
    .map((name) => name.replace(/\.txt$/, ""))
    .sort();
}

export function scriptsOf(subject: string): Script[] {
  const blocks = readFileSync(join(casesDirectory, `${subject}.txt`), "utf8")
    .trimEnd()
    .split("\n\n");
  return blocks.map((block) => {
    const [title = "", ...lines] = block.split("\n");
    return { title: title.replace(/^# /, ""), lines };
  });
}

export function recordingOf(subject: string): Recording {
  return JSON.parse(readFileSync(join(recordedDirectory, `${subject}.json`), "utf8")) as Recording;
}
