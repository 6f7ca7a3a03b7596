/** The checkout's text files as the checks see them, and what a check answers. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface Source {
  /** Relative to the checkout, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

export interface Complaint {
  readonly file: string;
  readonly line: number;
  /** What is wrong and why it matters. */
  readonly text: string;
}

export const root: string = fileURLToPath(new URL("../..", import.meta.url));

const skipped = new Set(["node_modules", ".git", ".types", "dist", "planted"]);
const binary = /\.(png|gz|tar|zst|wasm|ico|woff2)$/;

/** Every text file of the checkout but what is installed or built. */
export function readSources(): Source[] {
  return walk("").map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
}

function walk(directory: string): string[] {
  return readdirSync(join(root, directory), { withFileTypes: true }).flatMap((entry) => {
    if (skipped.has(entry.name)) return [];
    const path = directory === "" ? entry.name : `${directory}/${entry.name}`;
    if (entry.isDirectory()) return walk(path);
    return entry.isFile() && !binary.test(path) && !path.endsWith(".log") ? [path] : [];
  });
}

export function format(complaints: readonly Complaint[]): string {
  return complaints.map(({ file, line, text }) => `${file}:${line} ${text}`).join("\n");
}
