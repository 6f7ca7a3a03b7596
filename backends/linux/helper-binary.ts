/**
 * Where the native helper comes from: $TSBOX_HELPER; a binary that came with this copy of tsbox
 * (dist/tsbox-helper); one compiled here before; else it is compiled now, once, with the C compiler found,
 * into the user's cache. A binary is named for the hash of its sources and flags, so a changed
 * source never meets an old binary.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { messageOf, TsboxError } from "../../core/base/error.ts";
import { failedWith } from "./errors.ts";

const machine = process.arch === "arm64" ? "aarch64" : "x86_64";
const flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-static"];
/** musl makes the smallest binary; it does not know where the kernel's headers are. */
const compilers: readonly (readonly [string, ...string[]])[] = [
  ["musl-gcc", "-idirafter", "/usr/include", "-idirafter", `/usr/include/${machine}-linux-gnu`],
  ["gcc"],
  ["cc"],
  ["clang"],
];

/** Not part of the program: it feeds the decoder with noise. */
const notInProgram = "fuzz.c";

export interface HelperPlaces {
  /** The C files. */
  readonly sources: string;
  /** The binary that came along; its certificate stands beside it. */
  readonly prebuilt: string;
  readonly cache: string;
}

/** This file lies in backends/linux, or bundled in dist. */
const bundled = !import.meta.filename.endsWith(".ts");
const here = import.meta.dirname;

const places: HelperPlaces = {
  sources: bundled ? join(here, "../backends/linux/native") : join(here, "native"),
  prebuilt: bundled ? join(here, "tsbox-helper") : join(here, "../../dist/tsbox-helper"),
  cache: join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "tsbox"),
};

/** The path of an executable helper. Throws TsboxError "unsupported" when there is none and no way to make one. */
export async function findHelper(given: string | undefined, from: HelperPlaces = places): Promise<string> {
  const named = given ?? process.env["TSBOX_HELPER"];
  if (named !== undefined && named !== "") return named;
  const key = sourcesKey(from.sources);
  const prebuilt = checkedPrebuilt(from.prebuilt, key);
  if (prebuilt !== null) return prebuilt;
  if (key === null)
    throw new TsboxError("unsupported", `neither the tsbox helper ${from.prebuilt} nor its sources in ${from.sources}`);
  const cached = join(from.cache, `helper-${key}`);
  if (!isOurs(cached)) await compileHelper(cached, from.sources);
  return cached;
}

/** The hash of sources and flags; null when there are no sources. */
function sourcesKey(directory: string): string | null {
  try {
    const hash = createHash("sha256").update(flags.join(" "));
    for (const name of readdirSync(directory).toSorted()) {
      if (/\.[ch]$/.test(name) && name !== notInProgram) hash.update(name).update(readFileSync(join(directory, name)));
    }
    return hash.digest("hex");
  } catch (thrown) {
    if (failedWith(thrown, "ENOENT", "ENOTDIR")) return null;
    throw thrown;
  }
}

/** What stands beside a prebuilt binary, in `<binary>.json`. */
interface Certificate {
  readonly architecture: string;
  readonly sha256: string;
  readonly sources: string;
}

/** A prebuilt binary for this machine that is whole and, if the sources are here, made of them. */
function checkedPrebuilt(path: string, key: string | null): string | null {
  try {
    const { architecture, sha256, sources } = JSON.parse(readFileSync(`${path}.json`, "utf8")) as Certificate;
    const fits = architecture === process.arch && (key === null || key === sources);
    return fits && sha256 === digestOfFile(path) ? path : null;
  } catch (thrown) {
    if (failedWith(thrown, "ENOENT", "EACCES") || thrown instanceof SyntaxError) return null;
    throw thrown;
  }
}

/** Compiles the helper for a build, with its certificate. */
export async function writePrebuilt(from: HelperPlaces = places): Promise<void> {
  const path = from.prebuilt;
  await compileHelper(path, from.sources);
  const sources = sourcesKey(from.sources) ?? "";
  const certificate: Certificate = { architecture: process.arch, sha256: digestOfFile(path), sources };
  writeFileSync(`${path}.json`, `${JSON.stringify(certificate)}\n`);
}

function digestOfFile(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

/** It will run as us: nobody else may have been able to write it. */
function isOurs(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats !== undefined && stats.uid === process.geteuid?.() && (stats.mode & 0o022) === 0;
}

async function compileHelper(target: string, directory: string): Promise<void> {
  const names = readdirSync(directory).filter((name) => name.endsWith(".c") && name !== notInProgram);
  const sources = names.map((name) => join(directory, name));
  mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
  const temporary = `${target}.${process.pid}.tmp`;
  const complaints: string[] = [];
  for (const [compiler, ...extra] of compilers) {
    const complaint = await tryCompiler(compiler, [...flags, ...extra, ...sources, "-o", temporary]);
    if (complaint === null) return putInPlace(temporary, target);
    complaints.push(complaint);
  }
  rmSync(temporary, { force: true });
  throw new TsboxError(
    "unsupported",
    `tsbox has to compile its helper once and found no working C compiler: apt-get install gcc libc6-dev, ` +
      `or set TSBOX_HELPER to a helper binary (${complaints.join("; ")})`,
  );
}

const run = promisify(execFile);

/** null, or what went wrong, in a line. */
async function tryCompiler(compiler: string, args: readonly string[]): Promise<string | null> {
  try {
    await run(compiler, args);
    return null;
  } catch (thrown) {
    if (failedWith(thrown, "ENOENT")) return `${compiler}: not found`;
    const text = thrown instanceof Error && "stderr" in thrown ? String(thrown.stderr) : messageOf(thrown);
    const line = text.split("\n").find((each) => each.includes("error")) ?? text.split("\n")[0];
    return `${compiler}: ${line?.trim()}`;
  }
}

/** Whoever starts at the same moment finds the whole binary or none. */
function putInPlace(temporary: string, target: string): void {
  chmodSync(temporary, 0o755);
  renameSync(temporary, target);
}
