// Gets a checkout ready and then runs one of our scripts under the right Node:
//
//     node scripts/with-setup.js [--for start|test|vm|…] scripts/start.ts [arguments]
//
// This is the one file that must run on whatever Node a fresh machine has (20 or later) and before anything is
// installed: plain JavaScript, nothing imported but Node's own modules. It does, each only when needed:
//   1. npm install      when node_modules is not what package-lock.json asks for
//   2. apt-get install  of Debian packages the task wants, as root on Debian; otherwise it says what is missing
//   3. the script       under Node 24, which comes as an npm package (node-<platform>-<arch>)
import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** What each task wants from Debian: the file that shows it is there, the package that brings it, what it is for. */
const compiler = { anyOf: ["musl-gcc", "gcc", "cc", "clang"], package: "musl-tools", use: "compiling the helper" };
const headers = {
  anyOf: ["/usr/include/linux/capability.h"],
  package: "linux-libc-dev",
  use: "the kernel's headers, for compiling the helper",
};
const busybox = { anyOf: ["/bin/busybox"], package: "busybox-static", use: "the busybox image" };
const packages = {
  start: [compiler, headers, busybox],
  build: [compiler, headers, busybox],
  test: [
    compiler,
    headers,
    { anyOf: ["musl-gcc"], package: "musl-tools", use: "static programs without glibc" },
    { anyOf: ["gcc"], package: "gcc", use: "checking the helper under its sanitizers" },
    busybox,
    { anyOf: ["skopeo"], package: "skopeo", use: "judging our images" },
    { anyOf: ["umoci"], package: "umoci", use: "making layers the way others do" },
    { anyOf: ["docker-registry"], package: "docker-registry", use: "judging our registry and its client" },
    { anyOf: ["podman"], package: "podman", use: "pulling from and pushing to our registry" },
    { anyOf: ["containerd"], package: "containerd", use: "importing what we save" },
    { anyOf: ["mmdebstrap"], package: "mmdebstrap", use: "a real Debian image" },
    { anyOf: ["strace"], package: "strace", use: "holding the explanation of a run against its system calls" },
    { anyOf: ["chromium"], package: "chromium", use: "testing the page" },
    { anyOf: ["firefox-esr", "firefox"], package: "firefox-esr", use: "testing the page in another browser" },
    { anyOf: ["docker"], package: "docker.io", use: "driving tsbox with the stock client" },
    {
      anyOf: ["/usr/share/containers/seccomp.json"],
      package: "golang-github-containers-common",
      use: "judging seccomp",
    },
    { anyOf: ["ps"], package: "procps", use: "judging what top shows" },
    { anyOf: ["aarch64-linux-gnu-gcc"], package: "gcc-aarch64-linux-gnu", use: "compiling the helper for arm64" },
    {
      anyOf: ["/usr/aarch64-linux-gnu/include/errno.h"],
      package: "libc6-dev-arm64-cross",
      use: "compiling the helper for arm64",
    },
    { anyOf: ["qemu-aarch64-static"], package: "qemu-user-static", use: "running the helper for arm64" },
    { anyOf: ["xz"], package: "xz-utils", use: "compressed archives" },
  ],
  bench: [
    compiler,
    headers,
    busybox,
    { anyOf: ["clang"], package: "clang", use: "programs for WASI" },
    { anyOf: ["wasm-ld"], package: "lld", use: "programs for WASI" },
    { anyOf: ["/usr/lib/wasm32-wasi/libc.a"], package: "wasi-libc", use: "programs for WASI" },
    {
      anyOf: ["/usr/lib/llvm-14/lib/clang/14.0.6/lib/wasi/libclang_rt.builtins-wasm32.a"],
      package: "libclang-rt-dev-wasm32",
      use: "programs for WASI",
    },
    { anyOf: ["runc"], package: "runc", use: "a peer to compare with" },
    { anyOf: ["podman"], package: "podman", use: "a peer to compare with" },
    { anyOf: ["skopeo"], package: "skopeo", use: "making images" },
    { anyOf: ["umoci"], package: "umoci", use: "making images" },
    { anyOf: ["docker-registry"], package: "docker-registry", use: "a registry to pull from" },
    { anyOf: ["dockerd"], package: "docker.io", use: "a peer to compare with" },
    { anyOf: ["mmdebstrap"], package: "mmdebstrap", use: "a real Debian image" },
  ],
  vm: [
    compiler,
    headers,
    busybox,
    { anyOf: ["qemu-system-x86_64"], package: "qemu-system-x86", use: "the virtual machine" },
    { anyOf: ["cpio"], package: "cpio", use: "its first file system" },
    { anyOf: ["depmod"], package: "kmod", use: "its kernel modules" },
  ],
  nothing: [],
};

await main(process.argv.slice(2));

/** @param {string[]} args */
async function main(args) {
  const task = args[0] === "--for" ? args.splice(0, 2)[1] : "nothing";
  const wanted = packages[task];
  if (wanted === undefined) fail(`no such task: ${task}`);
  installModules();
  installPackages(wanted.filter((each) => !each.anyOf.some(present)));
  process.exitCode = await runUnderNode24(args);
}

/**
 * Not `npm ci`: that refuses a lock file in which the packages of some other platform are missing, as it is written
 * where a registry does not have them all. With --no-save npm keeps to the lock's versions and hashes and changes neither file.
 */
function installModules() {
  if (modulesAreCurrent()) return;
  say("installing the npm packages of package-lock.json");
  const npm = process.env.npm_execpath;
  const command = npm?.endsWith(".js") ? [process.execPath, npm] : ["npm"];
  const args = [...command.slice(1), "install", "--no-save", "--loglevel=error"];
  const { status } = spawnSync(command[0], args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  if (status !== 0) fail("npm install failed: see above; it needs a way to an npm registry");
}

/** Compares what npm wrote into node_modules with what the lock asks for. Packages for other platforms may be absent. */
function modulesAreCurrent() {
  const wanted = readJson(join(root, "package-lock.json"));
  const installed = readJson(join(root, "node_modules", ".package-lock.json"));
  if (installed === null) return false;
  return Object.entries(wanted.packages).every(
    ([path, entry]) =>
      path === "" || (installed.packages[path]?.version ?? (entry.optional && entry.version)) === entry.version,
  );
}

/** @param {{ package: string, use: string }[]} missing */
function installPackages(missing) {
  if (missing.length === 0 || process.platform !== "linux") return;
  const names = [...new Set(missing.map((each) => each.package))];
  if (process.getuid() !== 0 || !present("apt-get")) {
    const uses = missing.map((each) => `${each.package} (${each.use})`).join(", ");
    return say(`not installed here: ${uses}; on Debian, as root: apt-get install ${names.join(" ")}`);
  }
  say(`installing Debian packages: ${names.join(" ")}`);
  withServicesHeldBack(() => {
    const quiet = {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    };
    const install = () => spawnSync("apt-get", ["install", "-qq", "--no-install-recommends", ...names], quiet).status;
    spawnSync("apt-get", ["update", "-qq"], quiet);
    if (install() !== 0) say(`apt-get could not install ${names.join(" ")}: what needs them is left out`);
  });
}

/**
 * Debian starts a service as soon as its package is installed, unless policy-rc.d forbids it. A test run must not
 * start daemons on somebody's machine.
 * @param {() => void} action
 */
function withServicesHeldBack(action) {
  const policy = "/usr/sbin/policy-rc.d";
  if (existsSync(policy)) return action();
  const remove = () => rmSync(policy, { force: true });
  process.once("exit", remove);
  writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    action();
  } finally {
    remove();
    process.off("exit", remove);
  }
}

/**
 * @param {string[]} args
 * @returns {Promise<number>} the script's exit code
 */
function runUnderNode24(args) {
  const child = spawn(node24(), args, { cwd: root, stdio: "inherit" });
  // Ctrl-C reaches the child by itself, as the terminal signals the whole foreground group.
  process.on("SIGINT", () => {});
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  return new Promise((done) => {
    child.on("error", (error) => fail(error.message));
    child.on("exit", (code, signal) => done(code ?? (signal === "SIGINT" ? 130 : 143)));
  });
}

function node24() {
  if (Number.parseInt(process.versions.node, 10) >= 24) return process.execPath;
  const name = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
  const path = join(root, "node_modules", name, "bin", process.platform === "win32" ? "node.exe" : "node");
  if (!existsSync(path))
    fail(`tsbox needs Node 24, this is ${process.version} and npm has no ${name}: install Node 24`);
  return path;
}

/** @param {string} program a name to find on the PATH, or an absolute path */
function present(program) {
  const directories = program.startsWith("/") ? [""] : (process.env.PATH ?? "").split(":");
  return directories.some((directory) => readable(resolve(directory || "/", program)));
}

function readable(path) {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

function readJson(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : null;
}

function say(line) {
  process.stderr.write(`tsbox: ${line}\n`);
}

function fail(line) {
  say(line);
  process.exit(1);
}
