/**
 * @wasmer/wasi for a browser. The package holds its own WebAssembly as base64 in its JavaScript and decodes it with
 * Node's Buffer. Built into the page, that text is left out, and the WebAssembly becomes a file
 * beside the page that is fetched when the first program for WASI starts.
 */
import { readFileSync, realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";

/** The file's name beside the page. */
export const wasmerFile = "wasmer.wasm";

/** Its real path, by which vite names it. */
const library = realpathSync(
  fileURLToPath(new URL("../node_modules/@wasmer/wasi/dist/Library.esm.min.js", import.meta.url)),
);
/** Where it would look without being told: vite would warn of the file that is not there. */
const beside = 'new URL("wasmer_wasi_js_bg.wasm",import.meta.url)';
const embedded = /"data:application\/wasm;base64,([A-Za-z0-9+/=]+)"/;

export function wasmerModule(): Uint8Array {
  const [, base64] = embedded.exec(readFileSync(library, "utf8")) ?? [];
  if (base64 === undefined) throw new Error(`${library} holds no WebAssembly where it was expected`);
  return Buffer.from(base64, "base64");
}

export const withoutWasmerModule: Plugin = {
  name: "without-wasmer-module",
  load: (id) => (id === library ? readFileSync(library, "utf8").replace(embedded, '""').replace(beside, '""') : null),
};
