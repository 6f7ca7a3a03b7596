/** Rows of the ops on control groups. */
import type { Cgroup } from "../plan.ts";
import { call, prepared, quote } from "./calls.ts";
import { anyCgroup, ownCgroup } from "./checks.ts";
import type { Explanation, Rows } from "./row.ts";

export const cgroupRows = {
  "cgroup.make": {
    check: ({ cgroup }) => ownCgroup(cgroup),
    undo: ({ cgroup }) => ({ op: "cgroup.remove", cgroup }),
    explain: ({ cgroup }) => ({
      sentence: `makes the control group ${cgroup.path}, ${purposes[cgroup.controller]}`,
      syscalls: [call("mkdir", quote(directoryOf(cgroup)), "0755")],
      man: "cgroups(7)",
    }),
  },
  "cgroup.set": {
    check: ({ cgroup, file }) => anyCgroup(cgroup) ?? (/^[a-z0-9_.]+$/.test(file) ? null : `bad file name ${file}`),
    explain: ({ cgroup, file, value }) => ({
      sentence: settingSentence(file, value),
      syscalls: [call("open", quote(`${directoryOf(cgroup)}/${file}`), "O_WRONLY"), call("write", quote(value))],
      man: "cgroups(7)",
    }),
  },
  "cgroup.kill": {
    check: ({ cgroup }) => ownCgroup(cgroup),
    explain: ({ cgroup }) => ({
      sentence: `ends every process in the control group ${cgroup.path}`,
      syscalls: [call("open", quote(`${directoryOf(cgroup)}/cgroup.kill`), "O_WRONLY"), call("write", quote("1"))],
      man: "cgroups(7)",
    }),
  },
  "cgroup.remove": {
    check: ({ cgroup }) => ownCgroup(cgroup),
    explain: ({ cgroup }) => ({
      sentence: `removes the control group ${cgroup.path} (${cgroup.controller})`,
      syscalls: [call("rmdir", quote(directoryOf(cgroup)))],
      man: "cgroups(7)",
    }),
  },
  "cgroup.join": {
    check: ({ cgroup }) => ownCgroup(cgroup),
    explain: ({ cgroup }, inUserNamespace) =>
      cgroup.controller === "unified" ? bornIn(cgroup) : entered(cgroup, inUserNamespace),
  },
} satisfies Rows<`cgroup.${"make" | "set" | "kill" | "remove" | "join"}`>;

const purposes: Readonly<Record<Cgroup["controller"], string>> = {
  cpu: "which shares out processor time",
  cpuacct: "which counts processor time",
  cpuset: "which says on which processors it runs",
  memory: "which limits and counts memory",
  pids: "which limits the number of processes",
  blkio: "which limits block I/O",
  freezer: "which can pause it",
  devices: "which says what devices it may open",
  unified: "which can end and freeze all of it at once",
};

const settingWords: readonly (readonly [RegExp, (value: string) => string])[] = [
  [/^memory\.(limit_in_bytes|max)$/, (value) => `limits memory to ${bytes(value)}: beyond it the kernel kills`],
  [/^memory\.memsw\.limit_in_bytes$/, (value) => `limits memory and swap together to ${bytes(value)}`],
  [/^memory\.swap\.max$/, (value) => `limits swap to ${bytes(value)}`],
  [
    /^memory\.(soft_limit_in_bytes|low)$/,
    (value) => `asks the kernel to leave it ${bytes(value)} when memory is short`,
  ],
  [/^cpu\.(shares|weight)$/, (value) => `weighs it ${value} when processes compete for processors`],
  [/^cpu\.cfs_period_us$/, (value) => `counts processor time in periods of ${value} microseconds`],
  [/^cpu\.cfs_quota_us$/, (value) => `gives it ${value} microseconds of processor time a period`],
  [/^cpu\.max$/, (value) => `gives it "${value}": microseconds of processor time a period`],
  [/^cpuset\.cpus$/, (value) => `lets it run on processors ${value}`],
  [/^cpuset\.mems$/, (value) => `lets it use memory of nodes ${value}`],
  [/^pids\.max$/, (value) => `limits it to ${value} processes: fork fails beyond`],
  [/weight$/, (value) => `weighs its block I/O ${value}`],
  [/^devices\.deny$/, () => "forbids all devices to begin with"],
  [/^devices\.allow$/, (value) => `allows the devices "${value}" (type, numbers; read, write, mknod)`],
  [/^cgroup\.subtree_control$/, (value) => `hands controllers down to the groups beneath: ${value}`],
];

function settingSentence(file: string, value: string): string {
  const words = settingWords.find(([pattern]) => pattern.test(file))?.[1];
  return words?.(value) ?? `sets ${file} to ${value}`;
}

function bytes(value: string): string {
  const count = Number(value);
  return Number.isInteger(count) && count % 1048576 === 0 ? `${count / 1048576} MiB` : `${value} bytes`;
}

/** On cgroup v2 the clone itself puts the child there: moving it later would wait for all processors. */
function bornIn(cgroup: Cgroup): Explanation {
  return {
    sentence: `is born in its control group (${cgroup.controller}), so that the limits hold from the first instruction on`,
    syscalls: prepared(true, call("open", quote(directoryOf(cgroup)), "O_PATH|O_DIRECTORY")),
    man: "cgroups(7)",
  };
}

/** By v1's "tasks": for a process of one thread that moves itself it does not wait, as cgroup.procs does. */
function entered(cgroup: Cgroup, inUserNamespace: boolean): Explanation {
  return {
    sentence: `enters its control group (${cgroup.controller}), so that the limits hold from the first instruction on`,
    syscalls: [
      ...prepared(inUserNamespace, call("open", quote(`${directoryOf(cgroup)}/tasks`), "O_WRONLY")),
      call("write", quote("0")),
    ],
    man: "cgroups(7)",
  };
}

function directoryOf({ mount, path }: Cgroup): string {
  return path === "" ? mount : `${mount}/${path}`;
}
