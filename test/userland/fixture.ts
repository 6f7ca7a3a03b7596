/** The files that both the oracle's sandbox and the simulator begin with, and the environment. */
export type FixtureFile =
  | { readonly path: string; readonly text: string; readonly mode?: number }
  | { readonly path: string; readonly directory: true; readonly mode?: number }
  | { readonly path: string; readonly link: string; readonly mode?: number };

export const home = "/t";
export const environment = ["PATH=/bin", "HOME=/t", "USER=root", "LC_ALL=C", "TZ=UTC0"];

const numbers = Array.from({ length: 20 }, (_, index) => `${index + 1}\n`).join("");

export const files: readonly FixtureFile[] = [
  {
    path: "/etc/passwd",
    text: "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\nann:x:1000:1000:Ann:/srv/ann:/bin/sh\n",
  },
  { path: "/etc/group", text: "root:x:0:\ndaemon:x:1:\nstaff:x:50:ann\nann:x:1000:\n" },
  { path: home, directory: true },
  { path: `${home}/a.txt`, text: "alpha\nbeta\ngamma\ndelta\n" },
  { path: `${home}/b.txt`, text: "beta\ndelta\nepsilon\n" },
  { path: `${home}/n.txt`, text: numbers },
  { path: `${home}/words`, text: "the quick brown fox\njumps over\nthe lazy dog\n\nThe End\n" },
  { path: `${home}/table`, text: "ann:30:berlin\nbob:25:paris\ncy:35:berlin\ndee:25:oslo\n" },
  { path: `${home}/noeol`, text: "one\ntwo" },
  { path: `${home}/empty`, text: "" },
  { path: `${home}/tabs`, text: "a\tb\tc\n1\t2\t3\n" },
  { path: `${home}/utf8`, text: "grüße\nnaïve café\n" },
  { path: `${home}/script.sh`, text: '#!/bin/sh\necho script $0 $#\necho "$1"\n', mode: 0o755 },
  { path: `${home}/plain`, text: "echo plain $1\n", mode: 0o755 },
  { path: `${home}/d`, directory: true },
  { path: `${home}/d/one`, text: "1\n" },
  { path: `${home}/d/two`, text: "22\n" },
  { path: `${home}/d/.hidden`, text: "h\n" },
  { path: `${home}/d/sub`, directory: true },
  { path: `${home}/d/sub/deep`, text: "deep\n" },
  { path: `${home}/link`, link: "a.txt" },
  { path: `${home}/dlink`, link: "d" },
  { path: `${home}/broken`, link: "nowhere" },
];

/** What a case about control groups finds at /cg, as directories: version 1's by their controllers, and version 2's. */
export const legacyHierarchies = ["memory", "pids", "cpu", "cpuacct", "cpuset", "freezer", "blkio"] as const;
export const hierarchies = [...legacyHierarchies, "unified"] as const;
/** The group it stands in. */
export const ownGroup = "tsbox-case";
