/**
 * npm run build [-- PART …]: makes dist/ of what is needed to run without starting from sources.
 *
 *   dist/tsbox.cjs, dist/tsbox/   the command line, one chunk a command, and the code compiled of each
 *   dist/tsboxd.cjs, dist/tsboxd/ the daemon, and the simulated machine for --backend sim
 *   dist/images/                  the images tsbox brings along
 *   dist/tsbox-helper             the C helper of the Linux backend
 *   dist/web/                     the page
 *   dist/manifest.json            a digest of all sources; a test refuses a dist that is older than they are
 *
 * A part whose sources did not change since the last build is left as it is.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { type OutputOptions, rolldown } from "rolldown";
import { messageOf } from "./core/base/error.ts";
import { chunkScript, codeFile } from "./bin/compiled-code.ts";
import { writePrebuilt } from "./backends/linux/helper-binary.ts";
import { buildHello } from "./images/hello/build.ts";
import { buildUserland } from "./images/userland/build.ts";

const root = fileURLToPath(new URL(".", import.meta.url));
const dist = join(root, "dist");

interface Part {
  readonly name: string;
  /** Files and directories whose text decides whether it must be built again. */
  readonly sources: readonly string[];
  readonly build: () => Promise<void>;
}

const parts: readonly Part[] = [
  { name: "tsbox", sources: ["bin", "cli", "core", "build.ts", "package-lock.json"], build: buildClient },
  {
    name: "tsboxd",
    sources: ["bin", "api", "backends/linux", "backends/sim", "core", "build.ts", "package-lock.json"],
    build: buildDaemon,
  },
  { name: "helper", sources: ["backends/linux/native", "backends/linux/helper-binary.ts"], build: writePrebuilt },
  { name: "images", sources: ["images", "core/image", "backends/sim/userland/programs.ts"], build: buildImages },
  {
    name: "web",
    sources: [
      "web",
      "host",
      "core",
      "api",
      "cli",
      "backends/sim",
      "images",
      "scripts/page-server.ts",
      "scripts/wasmer.ts",
      "build.ts",
      "package-lock.json",
    ],
    build: async () => (await import("./scripts/page-server.ts")).buildPage(),
  },
];

/**
 * CommonJS starts faster than ESM: Node then never loads its ESM loader, nor looks into all that its own modules export
 * (node:http alone would bring 20 ms of undici).
 */
async function buildClient(): Promise<void> {
  const chunks = join(dist, "tsbox");
  rmSync(chunks, { recursive: true, force: true });
  await bundle("bin/tsbox.ts", {
    dir: chunks,
    entryFileNames: "main.cjs",
    chunkFileNames: "[name].cjs",
    // What several commands share is one file for all: each file costs a third of a millisecond.
    codeSplitting: {
      groups: [
        {
          name: "containers",
          test: /cli\/(attach|command|create-container|detach-keys|run-options|stream|wait|values\/.*)\.ts$/,
        },
        { name: "formats", test: /cli\/(filters|inspection|format\/.*)\.ts$/ },
      ],
    },
  });
  for (const name of readdirSync(chunks)) compileChunk(join(chunks, name));
  await bundle("bin/run-compiled.ts", { dir: dist, entryFileNames: "tsbox.cjs" });
}

async function bundle(input: string, output: OutputOptions): Promise<void> {
  const made = await rolldown({ input: join(root, input), platform: "node", cwd: root });
  await made.write({ format: "cjs", minify: true, ...output });
  await made.close();
}

/** All functions, not only those that run at once; the flag must be back when the code is written down: it tells. */
function compileChunk(chunk: string): void {
  setFlagsFromString("--no-lazy");
  const script = chunkScript(chunk);
  setFlagsFromString("--lazy");
  writeFileSync(codeFile(chunk), script.createCachedData());
}

async function buildDaemon(): Promise<void> {
  rmSync(join(dist, "tsboxd"), { recursive: true, force: true });
  await bundle("bin/tsboxd.ts", {
    dir: dist,
    entryFileNames: "tsboxd.cjs",
    // The simulated machine and what it loads in its turn.
    chunkFileNames: "tsboxd/[name].cjs",
    minify: false,
  });
}

async function buildImages(): Promise<void> {
  await buildHello(join(dist, "images/hello.tar"));
  await buildUserland(join(dist, "images"));
}

/** The digest of a part's sources. */
export function sourceDigest(sources: readonly string[]): string {
  const hash = createHash("sha256");
  for (const path of sources.flatMap(filesBeneath).toSorted()) {
    hash.update(`${path}\n`);
    hash.update(readFileSync(join(root, path)));
  }
  return hash.digest("hex");
}

/** Paths relative to the root; tests are no sources. */
function filesBeneath(path: string): string[] {
  const whole = join(root, path);
  if (!existsSync(whole)) return [];
  if (/\.[a-z]+$/.test(path)) return [path];
  return readdirSync(whole, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith(".test.ts"))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length));
}

type Manifest = Readonly<Record<string, string>>;

function readManifest(): Manifest {
  const path = join(dist, "manifest.json");
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Manifest) : {};
}

/** The names of the parts that dist does not hold as their sources are now. */
export function staleParts(): string[] {
  const manifest = readManifest();
  return parts.filter(({ name, sources }) => manifest[name] !== sourceDigest(sources)).map(({ name }) => name);
}

async function main(): Promise<void> {
  mkdirSync(dist, { recursive: true });
  const asked = process.argv.slice(2);
  const stale = new Set(staleParts().filter((name) => asked.length === 0 || asked.includes(name)));
  for (const { name, sources, build } of parts) {
    if (!stale.has(name)) continue;
    const digest = sourceDigest(sources);
    await build();
    writeFileSync(join(dist, "manifest.json"), `${JSON.stringify({ ...readManifest(), [name]: digest }, null, 2)}\n`);
    process.stdout.write(`built ${name}\n`);
  }
}

if (import.meta.main)
  await main().catch((thrown: unknown) => {
    process.stderr.write(`tsbox: ${messageOf(thrown)}\n`);
    process.exitCode = 1;
  });
