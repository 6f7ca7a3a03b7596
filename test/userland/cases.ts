/**
 * The command lines that are compared, and what the oracle said to them. cases/TOOL.txt has one a line;
 * a line that begins with "| " goes on with the script of the one before, "#" begins a comment.
 * recorded/TOOL.json is what `record.ts` got; it is never written by hand.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Recorded {
  readonly line: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

export interface Recording {
  /** Who said it: program and version. */
  readonly oracle: readonly string[];
  readonly cases: readonly Recorded[];
}

export const casesDirectory = join(import.meta.dirname, "cases");
export const recordedDirectory = join(import.meta.dirname, "recorded");

export function tools(): string[] {
  return readdirSync(casesDirectory)
    .map((name) => name.replace(/\.txt$/, ""))
    .sort();
}

export function linesOf(tool: string): string[] {
  const lines: string[] = [];
  for (const line of readFileSync(join(casesDirectory, `${tool}.txt`), "utf8").split("\n")) {
    if (line.startsWith("| ")) lines.push(`${lines.pop() ?? ""}\n${line.slice(2)}`);
    else if (line !== "" && !line.startsWith("#")) lines.push(line);
  }
  return lines;
}

export function recordingOf(tool: string): Recording {
  return JSON.parse(readFileSync(join(recordedDirectory, `${tool}.json`), "utf8")) as Recording;
}

export function hasCgroups(tool: string): boolean {
  return tool.startsWith("kernel-cgroup");
}

/** The shell a case's line is for. */
export function shellOf(tool: string): "/bin/sh" | "/bin/bash" {
  return tool.startsWith("bash") ? "/bin/bash" : "/bin/sh";
}

/**
 * Programs that answer instead of busybox's, because Debian's is built without what is asked there: by name, the
 * real one of the recording machine.
 */
export function standardPrograms(tool: string): Readonly<Record<string, string>> {
  return tool.startsWith("gnu") ? gnu : {};
}

const gnu: Readonly<Record<string, string>> = {
  awk: "mawk",
  ...Object.fromEntries(
    "comm find grep install join nice nl nohup pgrep pkill printenv sed sort split uniq xargs"
      .split(" ")
      .map((name) => [name, name]),
  ),
};

/** Bytes as text, one character a byte where they are not UTF-8. */
export function textOf(bytes: Uint8Array): string {
  const text = Buffer.from(bytes);
  const decoded = text.toString("utf8");
  return Buffer.from(decoded, "utf8").equals(text) ? decoded : `latin1:${text.toString("latin1")}`;
}
