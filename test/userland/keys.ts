/**
 * What a person types at a terminal, and what came of it: keys.txt has a session a line, recorded/keys.json what busybox's
 * shell made of each on a real terminal (record-keys.ts). Sessions are compared by what their commands write to the file
 * `o`, and by the shell's exit code where it ends: how a line is drawn anew is each editor's own affair.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface Session {
  readonly keys: string;
  /** What `o` holds at the end; null when there is none. */
  readonly written: string | null;
}

const named: Readonly<Record<string, string>> = {
  "⏎": "\r",
  "←": "\x1b[D",
  "→": "\x1b[C",
  "↑": "\x1b[A",
  "↓": "\x1b[B",
  "⇥": "\t",
  "⌫": "\x7f",
  "⌦": "\x1b[3~",
  "⎋": "\x1b",
};

export const keysRecording = join(import.meta.dirname, "recorded/keys.json");

export function sessions(): string[] {
  const text = readFileSync(join(import.meta.dirname, "keys.txt"), "utf8");
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

/** What is typed at once: up to an Enter, a control key, an Escape or a pause. */
export function strokesOf(session: string): string[] {
  const strokes = session.match(/[^⏎⋯⎋^]*(?:⏎|⋯|⎋[bfd]?|\^.|$)/g) ?? [];
  return strokes.filter((stroke) => stroke !== "").map(typed);
}

function typed(stroke: string): string {
  return Array.from(stroke.replace(/\^(.)/g, (_, letter: string) => String.fromCharCode(letter.charCodeAt(0) & 31)))
    .map((char) => named[char] ?? (char === "⋯" ? "" : char))
    .join("");
}
