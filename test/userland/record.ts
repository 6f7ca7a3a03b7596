/**
 * Records what dash, busybox, strace and util-linux say to the cases, each in a fresh sandbox on tmpfs: a chroot in a pid,
 * mount and network namespace of its own. Needs root, dash, strace and busybox-static (Debian's).
 *
 *   node test/userland/record.ts [TOOL…]
 *
 * Cases of control groups run in a group of their own in each hierarchy, the root of their cgroup namespace; the host
 * needs version 1's hierarchies mounted one by one, and version 2's beside them with hugetlb.
 */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  lutimesSync,
  mkdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { scratch, sweep } from "../../backends/linux/testing/scratch.ts";
import {
  hasCgroups,
  linesOf,
  type Recorded,
  recordedDirectory,
  shellOf,
  standardPrograms,
  textOf,
  tools,
} from "./cases.ts";
import { environment, files, home, legacyHierarchies } from "./fixture.ts";
import { enterOwnGroups, inOwnGroups } from "./own-groups.ts";

const modified = 1_600_000_000;
const timeoutMs = 10_000;

/**
 * Makes the sandbox the root: by pivot_root, because in a chroot the kernel refuses new user namespaces. The case runs
 * as a child, so that process 1 is none of its own.
 */
const enter = [
  'set -e; mount --bind "$0" "$0"',
  'mount -t tmpfs none "$0/dev"',
  'ln -s /proc/self/fd "$0/dev/fd"; for n in 0:stdin 1:stdout 2:stderr; do ln -s fd/${n%:*} "$0/dev/${n#*:}"; done',
  'for d in null:3 zero:5 full:7 random:8 urandom:9; do mknod -m 666 "$0/dev/${d%:*}" c 1 ${d#*:}; done',
  'mount -t tmpfs -o mode=1777 none "$0/tmp"; mount -t proc proc "$0/proc"; hostname tsbox; mkdir "$0/.old"; cd "$0"',
  "pivot_root . .old; exec 3>&2 2>/dev/null",
  '/bin/busybox umount -l /.old; /bin/busybox rmdir /.old; set +e; (exec /bin/cdsh "$1" 2>&3 3>&-); exit $?',
] as const;

/** Before that: the case's own groups, and their hierarchies at /cg. */
const enterGroups = [`set -e; mkdir "$0/cg"; ${enterOwnGroups}`, 'exec unshare -C sh -c "$2" "$0" "$1"'] as const;
const mountGroups = [
  `for h in ${legacyHierarchies.join(" ")}; do mkdir "$0/cg/$h"; mount -t cgroup -o $h none "$0/cg/$h"; done`,
  'mkdir "$0/cg/unified"; mount -t cgroup2 none "$0/cg/unified"',
  // busybox's knows no cgroup namespaces.
  'rm "$0/bin/unshare"; cp /usr/bin/unshare "$0/bin/unshare"',
] as const;

sweep();
const work = scratch("userland");
try {
  const wanted = process.argv.slice(2);
  const base = makeBase(join(work, "base"));
  for (const tool of wanted.length > 0 ? wanted : tools()) record(tool, base);
} finally {
  rmSync(work, { recursive: true, force: true });
}

function record(tool: string, base: string): void {
  const run = hasCgroups(tool) ? inGroups : runReally;
  const own = withPrograms(tool, base);
  const cases = linesOf(tool).map((line): Recorded => run(line, own));
  const recording = { oracle: versions(tool), cases };
  writeFileSync(join(recordedDirectory, `${tool}.json`), `${JSON.stringify(recording, null, 1)}\n`);
  process.stderr.write(`${tool}: ${cases.length}\n`);
}

function versions(tool: string): string[] {
  const busybox = spawnSync("busybox").stdout.toString().split("\n")[0] ?? "";
  const packages = [shellOf(tool) === "/bin/bash" ? "bash" : "dash", ...owners(Object.values(standardPrograms(tool)))];
  return [busybox, ...packages.map(versionOf), "recorded by test/userland/record.ts"];
}

function versionOf(name: string): string {
  return spawnSync("dpkg-query", ["-W", `-f=${name} \${Version}`, name]).stdout.toString();
}

/** The packages that programs are of. */
function owners(programs: readonly string[]): string[] {
  const found = programs.map(
    (name) =>
      spawnSync("dpkg-query", ["-S", `/bin/${name}`, `/usr/bin/${name}`])
        .stdout.toString()
        .split(":")[0] ?? "",
  );
  return [...new Set(found)].filter((name) => name !== "").sort((a, b) => (a < b ? -1 : 1));
}

/** The sandbox with the shell and the programs that a file of cases is about. */
function withPrograms(tool: string, base: string): string {
  const programs = Object.entries(standardPrograms(tool));
  if (programs.length === 0 && shellOf(tool) === "/bin/sh") return base;
  const own = join(work, tool);
  cpSync(base, own, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  for (const [name, real] of programs) {
    rmSync(join(own, "bin", name), { force: true });
    copyProgram(`/usr/bin/${real}`, join(own, "bin", name), own);
  }
  if (shellOf(tool) !== "/bin/bash") return own;
  copyProgram("/bin/bash", join(own, "bin/bash"), own);
  writeStarter(own, "/bin/bash");
  return own;
}

function inGroups(line: string, base: string): Recorded {
  return inOwnGroups(() => runReally(line, base, enterGroups, [enter[0], ...mountGroups, ...enter.slice(1)]));
}

function runReally(
  line: string,
  base: string,
  script: readonly string[] = enter,
  inner: readonly string[] = [],
): Recorded {
  const root = join(work, "root");
  cpSync(base, root, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  writeFiles(root);
  const result = spawnSync(
    // A session of its own: "kill 0" reaches the whole process group, outside the namespaces too.
    "setsid",
    [
      "-w",
      "unshare",
      "-fpmnui",
      "--propagation",
      "private",
      "--kill-child",
      "sh",
      "-c",
      script.join("; "),
      root,
      line,
      inner.join("; "),
    ],
    {
      env: Object.fromEntries([
        ...environment.map((entry) => entry.split("=")),
        ["PATH", "/usr/sbin:/usr/bin:/sbin:/bin"],
      ]) as NodeJS.ProcessEnv,
      timeout: timeoutMs,
      input: "",
      maxBuffer: 64 * 1024 * 1024,
    },
  );
  rmSync(root, { recursive: true, force: true });
  if (result.error !== undefined) throw new Error(`${line}: ${result.error.message}`);
  return { line, stdout: textOf(result.stdout), stderr: textOf(result.stderr), code: result.status ?? -1 };
}

/** Everything but the fixture's files. */
function makeBase(base: string): string {
  for (const directory of ["bin", "dev", "proc", "tmp", "etc", "root", "lib", "lib64"])
    mkdirSync(join(base, directory), { recursive: true });
  chmodSync(join(base, "tmp"), 0o1777);
  copyFileSync("/bin/busybox", join(base, "bin/busybox"));
  for (const name of spawnSync("busybox", ["--list"]).stdout.toString().split("\n")) {
    if (name !== "" && name !== "sh" && name !== "busybox") symlinkSync("busybox", join(base, "bin", name));
  }
  copyProgram("/bin/dash", join(base, "bin/sh"), base);
  for (const name of ["strace", "ipcs", "ipcmk", "ipcrm"])
    copyProgram(`/usr/bin/${name}`, join(base, "bin", name), base);
  writeStarter(base, "/bin/sh");
  return base;
}

/** The environment and directory of a case, whatever runs the sandbox had. */
function writeStarter(base: string, shell: string): void {
  const assigned = environment.map((entry) => `'${entry}'`).join(" ");
  writeFileSync(
    join(base, "bin/cdsh"),
    `#!/bin/sh\ncd ${home} && exec /bin/busybox env -i ${assigned} ${shell} -c "$1" </dev/null\n`,
    { mode: 0o755 },
  );
}

/** With the libraries it needs. */
function copyProgram(program: string, to: string, base: string): void {
  copyFileSync(program, to);
  for (const library of spawnSync("ldd", [program]).stdout.toString().match(/\/\S+/g) ?? []) {
    if (library.endsWith(":")) continue;
    mkdirSync(dirname(join(base, library)), { recursive: true });
    copyFileSync(library, join(base, library));
  }
}

function writeFiles(root: string): void {
  for (const file of files) {
    const path = join(root, file.path);
    if ("directory" in file) mkdirSync(path);
    else if ("link" in file) symlinkSync(file.link, path);
    else writeFileSync(path, file.text);
    if (!("link" in file)) chmodSync(path, file.mode ?? ("directory" in file ? 0o755 : 0o644));
  }
  for (const file of files.toReversed()) {
    const path = join(root, file.path);
    if ("link" in file) lutimesSync(path, modified, modified);
    else utimesSync(path, modified, modified);
  }
}
