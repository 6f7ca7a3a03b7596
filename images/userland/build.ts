/**
 * Builds the images with a shell: `tsbox/base`, and small images under the names a Docker user knows, `alpine`, `ubuntu` and
 * `httpd`. In each one multi-call file plays all programs, by symbolic links, as busybox does: for wasi/wasm a file that the
 * simulated kernel knows (its programs are in backends/sim/userland), for Linux Debian's busybox, when this machine has it.
 *
 *     node images/userland/build.ts [DIRECTORY]      default: dist/images
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { programNames } from "../../backends/sim/userland/programs.ts";
import { encodeText } from "../../core/base/bytes.ts";
import {
  type ImageEntry,
  type ImageParts,
  imageTar,
  native,
  type PlatformImage,
  wasi,
  writeWhole,
} from "../archive.ts";
import type { EmbeddedName } from "../../core/image/embedded.ts";
import { nativeProgram } from "../native-program.ts";
import { program } from "../wasi/build.ts";

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const text = (path: string, content: string, mode = 0o644): ImageEntry => ({ path, bytes: encodeText(content), mode });

/** By this banner the simulated kernel knows that programs of its own are meant (design: stand-ins). */
const standIn = encodeText("\u007fELF BusyBox v1.35.0, simulated: TypeScript programs stand in for it\n");
/** Programs in C that come along: they show limits and where writing ends up (images/wasi). */
const shown = ["burn", "hog", "writer"];
/** What useradd and its family bring is shadow's, and bash is not busybox's: only `ubuntu` has them. */
const ofShadow = new Set(["bash", "dash", "groupadd", "groupdel", "useradd", "userdel", "usermod", "getent"]);

/** The programs of one platform. */
interface Userland {
  readonly platform: PlatformImage["platform"];
  readonly busybox: Uint8Array;
  readonly applets: readonly string[];
  readonly shown: readonly ImageEntry[];
}

export type UserlandName = Exclude<EmbeddedName, "hello">;

interface Recipe {
  readonly config: Readonly<Record<string, unknown>>;
  /** What the image has beside the common root. */
  readonly entries: (userland: Userland) => readonly ImageEntry[];
}

const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const directories = ["bin", "etc", "home", "root", "usr", "usr/bin", "usr/local", "usr/local/bin", "usr/sbin", "var"];
const accounts = [
  text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"),
  text("etc/group", "root:x:0:\nnogroup:x:65534:\n"),
  text("etc/shadow", "root:*:20454:0:99999:7:::\nnobody:*:20454:0:99999:7:::\n", 0o640),
];

/** The name says who is meant, the description who it is. */
const release = (id: string, name: string): ImageEntry =>
  text("etc/os-release", `PRETTY_NAME="${name}, a stand-in by tsbox"\nNAME="${name}"\nID=${id}\n`);

const recipes: Readonly<Record<UserlandName, Recipe>> = {
  "tsbox/base": {
    config: { Env: [path], Cmd: ["sh"] },
    entries: ({ shown: programs }) => [release("tsbox", "tsbox"), ...programs],
  },
  alpine: { config: { Env: [path], Cmd: ["/bin/sh"] }, entries: () => [release("alpine", "Alpine Linux")] },
  ubuntu: { config: { Env: [path], Cmd: ["/bin/bash"] }, entries: ubuntu },
  httpd: {
    config: {
      Env: [path],
      Cmd: ["httpd", "-f", "-p", "80", "-h", "/usr/local/apache2/htdocs"],
      ExposedPorts: { "80/tcp": {} },
      WorkingDir: "/usr/local/apache2",
    },
    entries: () => [
      release("tsbox", "httpd"),
      { path: "usr/local/apache2", directory: true },
      { path: "usr/local/apache2/htdocs", directory: true },
      text("usr/local/apache2/htdocs/index.html", readFileSync(here("index.html"), "utf8")),
    ],
  },
};

export const userlandNames = Object.keys(recipes) as UserlandName[];

/** bash and useradd: the simulated userland has them; on Linux busybox's shell and a script do what they are asked for here. */
function ubuntu({ platform }: Userland): ImageEntry[] {
  const common = [release("ubuntu", "Ubuntu")];
  if (platform.os === wasi.os)
    return [...common, ...[...ofShadow].map((name) => ({ path: `bin/${name}`, link: "busybox" }))];
  return [
    ...common,
    text("bin/bash", '#!/bin/sh\nexec /bin/sh "$@"\n', 0o755),
    text("usr/sbin/useradd", readFileSync(here("useradd"), "utf8"), 0o755),
  ];
}

/** For each platform there can be one for here, wasi/wasm first. */
async function userlands(): Promise<Userland[]> {
  const simulated: Userland = {
    platform: wasi,
    busybox: standIn,
    applets: programNames.filter((name) => name !== "busybox" && !ofShadow.has(name)),
    shown: await Promise.all(shown.map(async (name) => executable(`usr/bin/${name}`, await program(name)))),
  };
  const busybox = process.platform === "linux" ? await readFile("/bin/busybox").catch(() => null) : null;
  if (busybox === null) return [simulated];
  const applets = spawnSync("/bin/busybox", ["--list"], { encoding: "utf8" }).stdout.split("\n");
  return [
    simulated,
    {
      platform: native,
      busybox,
      applets: applets.filter((name) => name !== "" && name !== "busybox"),
      shown: (await Promise.all(shown.map(compiled))).flat(),
    },
  ];
}

async function compiled(name: string): Promise<ImageEntry[]> {
  const bytes = await nativeProgram(here(`../wasi/${name}.c`));
  return bytes === null ? [] : [executable(`usr/bin/${name}`, bytes)];
}

function executable(at: string, bytes: Uint8Array): ImageEntry {
  return { path: at, bytes, mode: 0o755 };
}

/** What an image is made of, for all platforms that can be had here. */
export async function userlandParts(name: UserlandName): Promise<ImageParts> {
  const { config, entries } = recipes[name];
  return {
    name: `${name}:latest`,
    config,
    createdBy: "images/userland/build.ts",
    images: (await userlands()).map((userland) => ({
      platform: userland.platform,
      entries: [...root(userland), ...entries(userland)],
    })),
  };
}

function root({ busybox, applets }: Userland): ImageEntry[] {
  return [
    ...directories.map((each): ImageEntry => ({ path: each, directory: true })),
    { path: "tmp", directory: true, mode: 0o1777 },
    executable("bin/busybox", busybox),
    ...applets.map((name) => ({ path: `bin/${name}`, link: "busybox" })),
    ...accounts,
  ];
}

/** Beside each image's whole tar, `wasi/NAME.tar` has the programs for wasi/wasm only: the page fetches that. */
export async function buildUserland(directory: string): Promise<void> {
  for (const name of userlandNames) {
    const parts = await userlandParts(name);
    await writeWhole(join(directory, `${name}.tar`), await imageTar(parts));
    await writeWhole(join(directory, `wasi/${name}.tar`), await imageTar(parts, wasi));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await buildUserland(process.argv[2] ?? here("../../dist/images"));
