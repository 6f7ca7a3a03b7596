/** Rows of the ops that make and enter namespaces, and set up what is in them. */
import type { ChildOp, Namespace } from "../plan.ts";
import { call, list, plural, prepared, quote, sometimes } from "./calls.ts";
import { maps } from "./checks.ts";
import type { Rows, SystemCall } from "./row.ts";

export const namespaceRows = {
  spawn: {
    check: ({ create, join, idMaps }) =>
      (create.includes("cgroup") ? "the cgroup namespace is unshared after joining, not created" : null) ??
      (new Set(create).size === create.length ? null : "a namespace is created twice") ??
      (join === null || join.namespaces.join() === "pid" ? null : "only a pid namespace is joined before the clone") ??
      (join === null || !create.includes("pid") ? null : "a pid namespace is joined and created") ??
      (create.includes("user") === (idMaps !== null) ? null : "a user namespace and its id maps come together") ??
      (idMaps === null ? null : maps(idMaps)),
    explain: ({ create, join, idMaps, child }) => ({
      sentence: spawnSentence(create, join !== null, idMaps !== null),
      syscalls: [
        ...madeBeforehand(create),
        ...(join === null ? [] : [call("setns", "pidfd", "CLONE_NEWPID")]),
        call("clone3", `{flags=${flagsOfClone(create, child).join("|")}, exit_signal=SIGCHLD}`),
      ],
      man: create.length > 0 ? "namespaces(7)" : "clone(2)",
    }),
  },
  unshare: {
    check: ({ namespaces }) => (namespaces.length > 0 ? null : "nothing to unshare"),
    explain: ({ namespaces }) => ({
      sentence: `takes a ${list(namespaces)} namespace of its own: where it stands now is the root it will see`,
      syscalls: [call("unshare", namespaces.map(cloneFlag).join("|"))],
      man: namespaces.length === 1 ? `${namespaces[0]}_namespaces(7)` : "unshare(2)",
    }),
  },
  enter: {
    check: ({ join }) =>
      (join.namespaces.length > 0 ? null : "nothing to enter") ??
      (join.namespaces.includes("pid") ? "a pid namespace is entered by the clone" : null),
    explain: ({ join }) => ({
      sentence: `enters the ${list(join.namespaces)} ${plural("namespace", join.namespaces)} of container ${short(join.container)}`,
      syscalls: [
        ...prepared(true, call("pidfd_open", "pid")),
        call("setns", "pidfd", join.namespaces.map(cloneFlag).join("|")),
      ],
      man: "setns(2)",
    }),
  },
  hostname: {
    check: ({ name }) => (name.length > 0 && name.length <= 64 ? null : "a host name has 1 to 64 bytes"),
    explain: ({ name }) => ({
      sentence: `calls itself ${name}: only its own UTS namespace hears`,
      syscalls: [call("sethostname", quote(name), String(name.length))],
      man: "uts_namespaces(7)",
    }),
  },
  domainname: {
    check: ({ name }) => (name.length <= 64 ? null : "a domain name has at most 64 bytes"),
    explain: ({ name }) => ({
      sentence: `sets the NIS domain name ${name}`,
      syscalls: [call("setdomainname", quote(name), String(name.length))],
      man: "uts_namespaces(7)",
    }),
  },
  sysctl: {
    check: ({ name }) =>
      /^[\w-]+([./][\w.*-]+)+$/.test(name) && !name.includes("..") ? null : `${name} is no kernel setting`,
    explain: ({ name, value }) => ({
      sentence: `sets the kernel setting ${name} to "${value}" in its own namespaces`,
      syscalls: [
        call("open", quote(`/proc/sys/${name.includes("/") ? name : name.replaceAll(".", "/")}`), "O_WRONLY"),
        call("write", quote(value)),
      ],
      man: "sysctl(8)",
    }),
  },
  "link.up": {
    check: ({ device }) => (/^[^/\s]{1,15}$/.test(device) ? null : `${device} is no network device's name`),
    explain: ({ device }) => ({
      sentence: `sets the network device ${device} up: a new network namespace starts with everything down`,
      syscalls: [
        call("socket", "AF_NETLINK", "SOCK_RAW", "NETLINK_ROUTE"),
        call("sendto", `{RTM_NEWLINK, ${quote(device)}, IFF_UP}`),
        call("recvfrom", "{NLMSG_ERROR, 0}"),
      ],
      man: "rtnetlink(7)",
    }),
  },
} satisfies Rows<"spawn" | "unshare" | "enter" | "hostname" | "domainname" | "sysctl" | "link.up">;

const cloneFlags: Readonly<Record<Namespace, string>> = {
  mount: "CLONE_NEWNS",
  uts: "CLONE_NEWUTS",
  ipc: "CLONE_NEWIPC",
  pid: "CLONE_NEWPID",
  network: "CLONE_NEWNET",
  cgroup: "CLONE_NEWCGROUP",
  user: "CLONE_NEWUSER",
  time: "CLONE_NEWTIME",
};

function cloneFlag(namespace: Namespace): string {
  return cloneFlags[namespace];
}

function spawnSentence(create: readonly Namespace[], joins: boolean, mapped: boolean): string {
  const born =
    create.length === 0
      ? "starts a process"
      : `starts the container's first process in new namespaces: ${list(create)}`;
  const ids = mapped ? "; its root is an ordinary user of the host" : "";
  return `${born}${joins ? ", in the pid namespace of a running container" : ""}${ids}`;
}

function flagsOfClone(create: readonly Namespace[], child: readonly ChildOp[]): string[] {
  const isBornInCgroup = child.some((op) => op.op === "cgroup.join" && op.cgroup.controller === "unified");
  const made = namespacesMadeBeforehand(create);
  const flags = create.filter((namespace) => !made.includes(namespace)).map(cloneFlag);
  return ["CLONE_PIDFD", ...(isBornInCgroup ? ["CLONE_INTO_CGROUP"] : []), ...flags];
}

const usual: readonly Namespace[] = ["uts", "ipc", "network", "pid"];

/**
 * Those that a monitor has made before it is asked for a container: the network's takes half a millisecond. Only when
 * all of the usual are wanted, and not for a user namespace, which has to own them.
 */

export function namespacesMadeBeforehand(create: readonly Namespace[]): readonly Namespace[] {
  return !create.includes("user") && usual.every((namespace) => create.includes(namespace)) ? usual : [];
}

function madeBeforehand(create: readonly Namespace[]): SystemCall[] {
  const made = namespacesMadeBeforehand(create);
  return made.length === 0 ? [] : [sometimes("beforehand", call("unshare", made.map(cloneFlag).join("|")))];
}

function short(identifier: string): string {
  return identifier.slice(0, 12);
}
