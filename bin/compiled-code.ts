/**
 * The compiled code of the bundled command line: build.ts makes it, bin/run-compiled.ts starts from it. V8 takes it only
 * when its own version and flags are those it was made with, and the source is as long; else it compiles the source.
 */
import { readFileSync } from "node:fs";
import { constants, Script } from "node:vm";

export type Chunk = (exports: object, require: (name: string) => unknown) => void;

/** The code of `chunk.cjs` is in `chunk.cjs.code`. */
export function codeFile(chunk: string): string {
  return `${chunk}.code`;
}

/** A script whose value is a Chunk. */
export function chunkScript(chunk: string, code?: Buffer): Script {
  return new Script(`(function(exports,require){${readFileSync(chunk, "utf8")}\n})`, {
    filename: chunk,
    cachedData: code,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
}
