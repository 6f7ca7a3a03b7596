/** Processes as /proc shows them (proc(5)). */
import { Errno } from "../../../core/base/errno.ts";
import type { Sys } from "../kernel/sys.ts";
import { listDirectory, readText, readTextOr } from "./applet.ts";

const ticksPerSecond = 100;

export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** "pts/0", "?" for none. */
  readonly terminal: string;
  readonly name: string;
  /** What ps shows: the arguments, or the name in brackets. */
  readonly command: string;
  readonly state: string;
  readonly uid: number;
  readonly gid: number;
  /** Seconds of processor time. */
  readonly cpuSeconds: number;
  /** Kilobytes of memory. */
  readonly virtualKb: number;
  readonly residentKb: number;
  readonly nice: number;
  /** Seconds since boot at which it began. */
  readonly startSeconds: number;
}

/** All that can be seen, by pid. Those that end meanwhile are left out. */
export async function readProcesses(sys: Sys): Promise<ProcessEntry[]> {
  const found: ProcessEntry[] = [];
  for (const { name } of await listDirectory(sys, "/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const entry = await readProcess(sys, Number(name));
    if (entry !== null) found.push(entry);
  }
  return found.sort((a, b) => a.pid - b.pid);
}

async function readProcess(sys: Sys, pid: number): Promise<ProcessEntry | null> {
  try {
    const stat = await readText(sys, `/proc/${pid}/stat`);
    const status = await readText(sys, `/proc/${pid}/status`);
    const line = (await readTextOr(sys, `/proc/${pid}/cmdline`, "")).replace(/\0$/, "").replaceAll("\0", " ");
    return entryOf(pid, stat, status, line);
  } catch (thrown) {
    if (thrown instanceof Errno) return null;
    throw thrown;
  }
}

function entryOf(pid: number, stat: string, status: string, line: string): ProcessEntry {
  const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const number = (index: number): number => Number(fields[index - 3] ?? 0);
  const id = (key: string): number => Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
  const device = number(7);
  return {
    pid,
    name,
    parent: number(4),
    group: number(5),
    session: number(6),
    terminal: device === 0 ? "?" : `pts/${device & 255}`,
    command: line === "" ? `[${name}]` : line,
    state: fields[0] ?? "?",
    uid: id("Uid"),
    gid: id("Gid"),
    cpuSeconds: (number(14) + number(15)) / ticksPerSecond,
    virtualKb: Math.round(number(23) / 1024),
    residentKb: number(24) * 4,
    nice: number(19),
    startSeconds: number(22) / ticksPerSecond,
  };
}

/** Seconds since boot. */
export async function uptime(sys: Sys): Promise<number> {
  return Number((await readText(sys, "/proc/uptime")).split(" ")[0] ?? 0);
}

/** /proc/meminfo, in kilobytes. */
export async function memory(sys: Sys): Promise<ReadonlyMap<string, number>> {
  const lines = (await readText(sys, "/proc/meminfo")).matchAll(/^(\w+):\s+(\d+)/gm);
  return new Map([...lines].map(([, name = "", value = "0"]) => [name, Number(value)]));
}
