/**
 * The programs of the simulated userland by name. A family is one module, loaded when one of its
 * programs is first run; only the shell comes with the kernel.
 */
import type { Program } from "../kernel/sys.ts";
import { dropPrivileges } from "./privileges.ts";
import { busyboxSh, sh } from "./sh/sh.ts";

type Family = () => Promise<{ readonly programs: Readonly<Record<string, Program>> }>;

const families: readonly (readonly [Family, string])[] = [
  [
    () => import("./programs/accounts.ts"),
    "addgroup adduser delgroup deluser groupadd groupdel passwd useradd userdel usermod",
  ],
  [() => import("./programs/archive.ts"), "gunzip gzip tar zcat"],
  [() => import("./programs/awk.ts"), "awk"],
  [() => import("./sh/bash/program.ts"), "bash"],
  [() => import("./programs/bytes.ts"), "base64 cksum cmp hd hexdump md5sum od sha1sum sha256sum sha512sum xxd"],
  [() => import("./programs/cal.ts"), "cal"],
  [() => import("./programs/convert.ts"), "crc32 dos2unix fallocate shred ts unix2dos"],
  [() => import("./programs/copy.ts"), "cp install mv"],
  [() => import("./programs/dd.ts"), "dd"],
  [() => import("./programs/diff.ts"), "diff"],
  [() => import("./programs/expr.ts"), "expr"],
  [() => import("./programs/factor.ts"), "factor"],
  [() => import("./programs/fields.ts"), "comm cut join paste shuf sort tr uniq"],
  [
    () => import("./programs/files.ts"),
    "chgrp chmod chown link ln mkdir mkfifo mknod mktemp readlink realpath rm rmdir touch truncate unlink",
  ],
  [() => import("./programs/find.ts"), "find"],
  [() => import("./programs/getopt.ts"), "getopt"],
  [() => import("./programs/grep.ts"), "egrep fgrep grep"],
  [() => import("./programs/httpd.ts"), "httpd"],
  [() => import("./programs/identity.ts"), "arch date getent groups hostname id logname nologin nproc uname whoami"],
  [() => import("./programs/ip.ts"), "ip"],
  [() => import("./programs/ipc.ts"), "ipcmk ipcrm ipcs"],
  [() => import("./programs/ls.ts"), "ls stat"],
  [() => import("./programs/mounts.ts"), "df dmesg du lsns mount mountpoint umount"],
  [() => import("./programs/nc.ts"), "nc"],
  [() => import("./programs/netstat.ts"), "arp ifconfig netstat route"],
  [() => import("./programs/nice.ts"), "nice renice"],
  [() => import("./programs/nslookup.ts"), "nslookup"],
  [() => import("./programs/pager.ts"), "less more"],
  [() => import("./programs/patch.ts"), "patch"],
  [() => import("./programs/ping.ts"), "ping"],
  [() => import("./programs/processes.ts"), "free kill killall pgrep pidof pkill ps pwdx top uptime"],
  [
    () => import("./programs/run.ts"),
    "chroot env nohup nsenter pivot_root setsid su time timeout unshare watch which xargs",
  ],
  [() => import("./programs/sed.ts"), "sed"],
  [() => import("./programs/settings.ts"), "run-parts setpriv sysctl"],
  [() => import("./programs/show.ts"), "cat expand fold head nl rev split strings tac tail tee unexpand wc"],
  [
    () => import("./programs/small.ts"),
    "[ basename clear dirname echo false printenv printf pwd reset seq sleep sync test true tty usleep yes",
  ],
  [() => import("./programs/strace.ts"), "strace"],
  [() => import("./programs/stty.ts"), "stty"],
  [() => import("./programs/vi.ts"), "vi"],
  [() => import("./programs/wget.ts"), "wget"],
];

const byName = new Map(families.flatMap(([family, names]) => names.split(" ").map((name) => [name, family] as const)));

/** What is no applet of busybox, nor a program of images: it comes with the machine (machine.ts). */
const ofMachine: ReadonlyMap<string, Family> = new Map([["docker-init", () => import("./programs/init.ts")]]);

/** Those whose family is loaded: asking for it again would be a walk through the module loader at each exec. */
const loaded = new Map<string, Program>();

export const programNames: readonly string[] = [...byName.keys(), "ash", "busybox", "dash", "sh"].sort();

/** The program of that name, of a busybox file or of one of its own; null when there is none. */
export async function standIn(name: string, isBusybox = false): Promise<Program | null> {
  if (name === "busybox") return busybox;
  const program = await programOf(name, isBusybox);
  return program !== null && isBusybox && !privileged.has(name) ? unprivileged(program) : program;
}

async function programOf(name: string, isBusybox: boolean): Promise<Program | null> {
  if (isBusybox && /^-?sh$/.test(name)) return busyboxSh;
  if (/^-?(?:sh|ash|dash)$/.test(name)) return sh;
  return loaded.get(name) ?? load(name.replace(/^-bash$/, "bash"));
}

/** What busybox leaves with a set-user-ID file's rights; the others give them up before they begin. */
const privileged = new Set(["mount", "passwd", "ping", "su", "umount"]);

function unprivileged(program: Program): Program {
  return (sys, argv, environment) => {
    dropPrivileges(sys);
    return program(sys, argv, environment);
  };
}

async function load(name: string): Promise<Program | null> {
  const family = byName.get(name) ?? ofMachine.get(name);
  if (family === undefined) return null;
  const { programs } = await family();
  for (const [each, program] of Object.entries(programs)) loaded.set(each, program);
  return programs[name] ?? null;
}

/** "busybox ls -l" is "ls -l". */
const busybox: Program = async (sys, argv, environment) => {
  const [, name, ...args] = argv;
  if (name === undefined || name === "--list" || name === "--help") return list(sys, name);
  const program = name === "busybox" ? null : await standIn(name, true);
  if (program !== null) return program(sys, [name, ...args], environment);
  await sys.write(2, new TextEncoder().encode(`${name}: applet not found\n`));
  return 127;
};

async function list(sys: Parameters<Program>[0], option: string | undefined): Promise<number> {
  const names = programNames.filter((name) => name !== "busybox");
  const text =
    option === "--list"
      ? `${names.join("\n")}\n`
      : `BusyBox v1.35.0 (tsbox) multi-call binary.\n\nCurrently defined functions:\n\t${names.join(", ")}\n`;
  await sys.write(1, new TextEncoder().encode(text));
  return 0;
}
