/**
 * WebAssembly programs of the simulated kernel: from a file's bytes to a Program (kernel/sys.ts).
 *
 *     bytes ─ valid? ─ fuel added (fuel.ts) ─ compiled ─┐   once for each content
 *                                                       ├─ instance ─ _start, suspended and resumed ─ exit code
 *     arguments, environment ─ @wasmer/wasi ────────────┘   for each process
 *
 * @wasmer/wasi lays out what the program is started with (start-values.ts); every other import is a
 * system call (preview1.ts). It is loaded, with its own WebAssembly, when the first program starts.
 *
 * Exit codes: 126 for what cannot run, 134 for a trap (what a shell shows of abort(3)); a program
 * that is killed ends as any process. Each comes with one line on standard error.
 */
import { encodeText, hex } from "../../../core/base/bytes.ts";
import { Errno } from "../../../core/base/errno.ts";
import { messageOf } from "../../../core/base/error.ts";
import type { Hasher } from "../../../core/base/ports.ts";
import { AboutBytes } from "../kernel/about-bytes.ts";
import type { Program, Sys } from "../kernel/sys.ts";
import { Descriptors } from "./descriptors.ts";
import { added, addFuel, type Refuelled } from "./fuel.ts";
import { GuestMemory } from "./guest-memory.ts";
import { setHooks } from "./hooks.ts";
import { Meter } from "./meter.ts";
import { Exit, type Guest, preview1 } from "./preview1.ts";
import { signatureOfImport } from "./preview1-signatures.ts";
import { interfaceName, type StartValues, startValues, type Wasmer } from "./start-values.ts";
import { reasonOf } from "./traps.ts";
import {
  type Global,
  hasPromiseIntegration,
  type Instance,
  type Memory,
  type Module,
  promising,
  suspending,
  Unrunnable,
  webAssembly,
} from "./web-assembly.ts";

export interface WebAssemblyOptions {
  readonly hasher: Hasher;
  /** Where @wasmer/wasi's own WebAssembly is: what its init() takes. Without it the copy in the package is used, which needs Node. */
  readonly wasmer?: () => Promise<unknown>;
}

/** A compiled program. */
interface Compiled {
  readonly module: Module;
  readonly refuelled: Refuelled;
}

const moduleBytesMax = 128 * 1024 * 1024;
/** Compiled programs that are kept for the next start. */
const keptMax = 64;
const bytesPerPage = 65536;
const bytesPerTableEntry = 8;
const notExecutable = 126;
const trapped = 134;

export type WebAssemblyLoader = (bytes: Uint8Array) => Promise<Program>;

/** The loader. What cannot run becomes a program that says why and exits with 126. */
export function webAssemblyLoader(options: WebAssemblyOptions): WebAssemblyLoader {
  const kept = new Map<string, Promise<Compiled>>();
  const wasmer = loadedOnce(options);
  const digests = new AboutBytes<string>();
  const digestOf = (bytes: Uint8Array): string => {
    const hash = options.hasher.sha256();
    hash.update(bytes);
    return hex(hash.digest());
  };
  const compiledOnce = (bytes: Uint8Array): Promise<Compiled> => {
    const digest = digests.of(bytes, digestOf);
    const compiled = kept.get(digest) ?? compile(bytes);
    kept.delete(digest);
    kept.set(digest, compiled);
    for (const oldest of [...kept.keys()].slice(0, Math.max(0, kept.size - keptMax))) kept.delete(oldest);
    return compiled;
  };
  return async (bytes) => {
    try {
      if (!hasPromiseIntegration()) throw new Unrunnable(noPromiseIntegration);
      const compiled = await compiledOnce(bytes);
      const library = await wasmer();
      return (sys, argv, environment) => run(compiled, library, sys, argv, environment);
    } catch (thrown) {
      if (!(thrown instanceof Unrunnable)) throw thrown;
      return (sys, argv) => refuse(sys, argv, `cannot run: ${thrown.message}`, notExecutable);
    }
  };
}

const noPromiseIntegration =
  "this browser cannot suspend WebAssembly programs (JavaScript promise integration); Chromium 137, Firefox 153 and Node 24 can. The shell and the built-in tools work all the same";

function loadedOnce({ wasmer }: WebAssemblyOptions): () => Promise<Wasmer> {
  let loaded: Promise<Wasmer> | null = null;
  const load = async (): Promise<Wasmer> => {
    try {
      const library = (await import("@wasmer/wasi")) as unknown as Wasmer;
      await library.init(await wasmer?.());
      return library;
    } catch (thrown) {
      loaded = null;
      throw new Unrunnable(`what starts programs for WASI could not be loaded: ${messageOf(thrown)}; try again`);
    }
  };
  return () => (loaded ??= load());
}

// Once for each content

async function compile(bytes: Uint8Array): Promise<Compiled> {
  if (bytes.length > moduleBytesMax) throw new Unrunnable(`it has more than ${moduleBytesMax >> 20} MiB`);
  const refuelled = webAssembly.validate(bytes) ? addFuel(bytes) : await broken(bytes);
  checkImports(refuelled.imports);
  const module = await webAssembly.compile(refuelled.bytes).catch((thrown: unknown): never => {
    throw new Unrunnable(`this JavaScript engine does not compile it with fuel: ${messageOf(thrown)}`);
  });
  checkExports(module);
  return { module, refuelled };
}

/** Says what is wrong with bytes that are no valid module: what the rewriter or the engine finds first. */
async function broken(bytes: Uint8Array): Promise<never> {
  const reason = await webAssembly.compile(bytes).then(() => "", messageOf);
  throw new Unrunnable(`it is no valid WebAssembly module: ${reason.replace(/^WebAssembly\.\w+\(\): /, "")}`);
}

function checkImports(imports: Refuelled["imports"]): void {
  for (const { module, name, signature } of imports) {
    if (module !== interfaceName)
      throw new Unrunnable(`it imports ${module}.${name}: only ${interfaceName} is there for programs to import`);
    const known = signatureOfImport(name);
    if (known === null) throw new Unrunnable(`it imports ${module}.${name}, which that interface does not have`);
    if (known !== signature)
      throw new Unrunnable(
        `it imports ${module}.${name} as ${signature}, but that is ${known} (i: 32 bits, I: 64 bits)`,
      );
  }
}

function checkExports(module: Module): void {
  const names = webAssembly.Module.exports(module).map(({ name, kind }) => `${kind} ${name}`);
  if (!names.includes("function _start"))
    throw new Unrunnable("it has no function _start: it is a library, not a program");
  if (!names.includes("memory memory")) throw new Unrunnable("it does not export its memory");
}

function noGuest(): never {
  throw new TypeError("no program is running");
}

// For each process

async function run(
  { module, refuelled }: Compiled,
  library: Wasmer,
  sys: Sys,
  argv: readonly string[],
  environment: readonly string[],
): Promise<number> {
  let guest: Guest | null = null;
  try {
    const values = await startValues(library, argv, environmentOf(environment, sys.directory()));
    charge(sys, refuelled.memoryPages * bytesPerPage + refuelled.tableEntries * bytesPerTableEntry);
    const calls = preview1(() => guest ?? noGuest());
    const instance = await webAssembly.instantiate(module, { [interfaceName]: calls });
    guest = await guestOf(sys, instance, values);
    await start(instance, refuelled);
    await guest.meter.settle();
    return 0;
  } catch (thrown) {
    await guest?.meter.settle();
    if (thrown instanceof Exit) return thrown.code;
    const reason = reasonOf(thrown);
    if (reason === null) throw thrown;
    return guest === null
      ? refuse(sys, argv, `cannot run: ${reason}`, notExecutable)
      : refuse(sys, argv, `trap: ${reason}`, trapped);
  }
}

/** One line on standard error, and the exit code. */
async function refuse(sys: Sys, argv: readonly string[], message: string, code: number): Promise<number> {
  try {
    await sys.write(2, encodeText(`${argv[0] ?? "program"}: ${message}\n`));
  } catch (thrown) {
    // Nobody reads its messages: the exit code says it.
    if (!(thrown instanceof Errno)) throw thrown;
  }
  return code;
}

/** PWD is where the process is: our own programs go there, as WASI has no working directory. */
function environmentOf(environment: readonly string[], directory: string): Record<string, string> {
  const pairs = environment.flatMap((entry) => {
    const at = entry.indexOf("=");
    return at <= 0 ? [] : [[entry.slice(0, at), entry.slice(at + 1)] as const];
  });
  return { ...Object.fromEntries(pairs), PWD: directory };
}

async function guestOf(sys: Sys, instance: Instance, values: StartValues): Promise<Guest> {
  const memory = instance.exports["memory"] as Memory;
  const meter = new Meter(sys, instance.exports[added.fuel] as Global);
  const grow = (pages: number): number => growBy(sys, memory, pages >>> 0);
  await setHooks(
    instance,
    suspending(() => meter.settle()),
    grow,
  );
  return { sys, memory: new GuestMemory(memory), descriptors: new Descriptors(sys), meter, values };
}

/** memory.grow: the cgroup is asked first, and kills who goes over its limit. */
function growBy(sys: Sys, memory: Memory, pages: number): number {
  const now = memory.buffer.byteLength / bytesPerPage;
  if (now + pages > pagesMax) return -1;
  charge(sys, pages * bytesPerPage);
  try {
    return memory.grow(pages);
  } catch (thrown) {
    if (!(thrown instanceof RangeError)) throw thrown;
    sys.allocate(-pages * bytesPerPage);
    return -1;
  }
}

/** Bit by bit, as pages are taken when they are touched: so who takes too much is who holds the most, and is killed for it. */
function charge(sys: Sys, bytes: number): void {
  for (let left = bytes; left > 0; left -= chargeBytes) sys.allocate(Math.min(left, chargeBytes));
}

const chargeBytes = 16 * 1024 * 1024;

/** 4 GiB: what 32-bit addresses reach. */
const pagesMax = 65536;

async function start(instance: Instance, { hasStart }: Refuelled): Promise<void> {
  if (hasStart) await promising(instance.exports[added.start])();
  await promising(instance.exports["_start"])();
}
