/**
 * Runs a program for WASI inside a container: what core/runtime/wasi-runner.ts puts beneath /dev/wasi.
 * Plain JavaScript without imports but Node's own, as it stands alone in there.
 *
 *     node runner.mjs HIDDEN [VARIABLE …] PROGRAM [WORD …]
 *
 * It says and exits as the simulated kernel does (backends/sim/wasm/loader.ts): 127 for a program that is not there,
 * 126 for what cannot run, 134 for a trap, and 141 when nobody reads any more, as SIGPIPE would end it: Node ignores that.
 */
import { accessSync, constants, readFileSync, statSync, writeSync } from "node:fs";
import { WASI } from "node:wasi";

const interfaceName = "wasi_snapshot_preview1";
const notFound = 127;
const notExecutable = 126;
const trapped = 134;
const brokenPipe = 141;
const EPIPE = 64;

const [count, ...words] = process.argv.slice(2);
const hidden = words.slice(0, Number(count));
const [name = "", ...args] = words.slice(Number(count));
const env = { ...process.env, ...Object.fromEntries(hidden.map(pair)) };

process.exit(await run());

/** @param {string} variable @returns {[string, string]} */
function pair(variable) {
  const at = variable.indexOf("=");
  return at < 0 ? [variable, ""] : [variable.slice(0, at), variable.slice(at + 1)];
}

async function run() {
  const bytes = read();
  if (typeof bytes === "number") return bytes;
  try {
    return await start(await WebAssembly.compile(bytes));
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError)
      return fail(`trap: ${reasonOf(error.message)}`, trapped);
    if (error instanceof WebAssembly.CompileError)
      return fail(`cannot run: it is no valid WebAssembly module: ${plain(error.message)}`, notExecutable);
    return fail(`cannot run: ${plain(error instanceof Error ? error.message : String(error))}`, notExecutable);
  }
}

/** @param {string} message @param {number} code */
function fail(message, code) {
  writeSync(2, `${name}: ${message}\n`);
  return code;
}

/** Without the engine's own name in front. @param {string} message */
function plain(message) {
  return message.replace(/^WebAssembly\.\w+\(\): /, "");
}

/** V8's words, in ours (backends/sim/wasm/traps.ts). @param {string} message */
function reasonOf(message) {
  if (message.includes("unreachable")) return "it came to an instruction that is never to be reached (abort)";
  if (message.includes("memory access")) return "it accessed memory that it does not have";
  if (message.includes("by zero")) return "it divided by zero";
  if (message.includes("unrepresentable")) return "a number did not fit";
  if (/signature|null function|table index/.test(message)) return "it called what is no function of that type";
  if (message.includes("call stack")) return "it called itself too deep: its stack is used up";
  return message;
}

/** The program's bytes, or the exit code. */
function read() {
  const candidates = name.includes("/")
    ? [name]
    : (env.PATH ?? "").split(":").map((directory) => `${directory || "."}/${name}`);
  const found = candidates.filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
  if (found.length === 0) return fail("not found", notFound);
  const path = found.find(isExecutable);
  return path === undefined ? fail("permission denied", notExecutable) : readFileSync(path);
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** @param {WebAssembly.Module} module @param {object} known */
function checkInterface(module, known) {
  for (const { module: from, name: what } of WebAssembly.Module.imports(module)) {
    if (from !== interfaceName)
      throw new TypeError(`it imports ${from}.${what}: only ${interfaceName} is there for programs to import`);
    if (!Object.hasOwn(known, what))
      throw new TypeError(`it imports ${from}.${what}, which that interface does not have`);
  }
  const exported = new Set(WebAssembly.Module.exports(module).map((each) => `${each.kind} ${each.name}`));
  if (!exported.has("function _start"))
    throw new TypeError("it has no function _start: it is a library, not a program");
  if (!exported.has("memory memory")) throw new TypeError("it does not export its memory");
}

/** @param {WebAssembly.Module} module */
async function start(module) {
  const wasi = new WASI({
    version: "preview1",
    args: [name, ...args],
    env: { ...env, PWD: process.cwd() },
    preopens: { "/": "/" },
    returnOnExit: true,
  });
  const imports = { ...wasi.wasiImport };
  checkInterface(module, imports);
  const { fd_write: write } = imports;
  imports.fd_write = (...values) => {
    const errno = write(...values);
    if (errno === EPIPE) process.exit(brokenPipe);
    return errno;
  };
  return wasi.start(await WebAssembly.instantiate(module, { [interfaceName]: imports }));
}
