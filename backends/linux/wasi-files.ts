/**
 * The runner of programs for WASI on this host: the Node that runs us, its dynamic loader and
 * libraries, and a small script (wasi-runner.js). They are called by the loader's full name with a
 * path to search, so that nothing of the container's own libraries is needed or used.
 */
import { realpathSync } from "node:fs";
import { basename, join } from "node:path";
import type { HostPath } from "../../core/base/brand.ts";
import type { WasiRunner } from "../../core/runtime/traits.ts";

/** This file lies in backends/linux, or bundled in dist. */
const script = import.meta.filename.endsWith(".ts")
  ? join(import.meta.dirname, "wasi-runner.js")
  : join(import.meta.dirname, "../backends/linux/wasi-runner.js");

/** Node's threads beside the main one count against a pids limit: one is enough. Its warnings are not the program's. */
const options = ["--no-warnings", "--v8-pool-size=1"];

/** null when it cannot be found out which files Node needs. */
export function wasiRunner(): WasiRunner | null {
  const libraries = sharedObjects().filter((path) => path.startsWith("/"));
  const loader = libraries.find((path) => /^ld(-linux|-musl|64|\.so)/.test(basename(path)));
  const file = (source: string, name: string): WasiRunner["files"][number] => {
    return { source: realpathSync(source) as HostPath, name };
  };
  const files = [
    ...libraries.map((path) => file(path, basename(path))),
    file(process.execPath, "node"),
    file(script, "runner.mjs"),
  ];
  const node = ["./node", ...options, "./runner.mjs"] as const;
  if (loader === undefined) return libraries.length === 0 ? { files, argv: [...node] } : null;
  return { files, argv: [`./${basename(loader)}`, "--library-path", "./", ...node] };
}

/** The libraries that the dynamic loader gave us, by the names under which it found them. */
function sharedObjects(): string[] {
  // Otherwise the report looks up the names of the other ends of our connections.
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork: boolean };
  const { excludeNetwork } = report;
  report.excludeNetwork = true;
  try {
    return (report.getReport() as { readonly sharedObjects: string[] }).sharedObjects;
  } finally {
    report.excludeNetwork = excludeNetwork;
  }
}
