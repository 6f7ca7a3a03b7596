/**
 * What a browser must load before the page is of use, compressed as a server would (brotli): the UI thread's
 * script with xterm, and the worker with the kernel and sh. Everything else is a chunk of its own.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync } from "node:zlib";

const assets = fileURLToPath(new URL("../dist/web/assets", import.meta.url));

export interface PageSize {
  readonly part: "UI thread with xterm" | "worker with sh";
  readonly bytes: number;
  readonly bytesMax: number;
}

const kilobyte = 1000;

/** Null when the page was not built. */
export function pageSizes(): PageSize[] | null {
  if (!existsSync(assets)) return null;
  return [
    { part: "UI thread with xterm", bytes: brotliBytes(/^index-.*\.js$/), bytesMax: 200 * kilobyte },
    { part: "worker with sh", bytes: brotliBytes(/^machine-.*\.js$/), bytesMax: 150 * kilobyte },
  ];
}

/** The entry and all it imports statically, which a browser loads before it runs any of it. */
function brotliBytes(entry: RegExp): number {
  const [first] = readdirSync(assets).filter((name) => entry.test(name));
  if (first === undefined) throw new Error(`dist/web/assets has no ${entry.source}: npm run build`);
  const files = new Set<string>();
  const visit = (name: string): void => {
    if (files.has(name)) return;
    files.add(name);
    const text = readFileSync(join(assets, name), "utf8");
    for (const [, imported = ""] of text.matchAll(/\b(?:import|export)\b[^;"'()]*?["']\.\/([\w.-]+\.js)["']/g))
      visit(imported);
  };
  visit(first);
  return [...files].reduce((sum, name) => sum + brotliCompressSync(readFileSync(join(assets, name))).length, 0);
}
