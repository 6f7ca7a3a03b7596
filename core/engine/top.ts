/** The processes of a container as the host sees them, all of whom stand in its control group. */
import type { HostPath } from "../base/brand.ts";
import { decodeBytes } from "../base/bytes.ts";
import { Errno } from "../base/errno.ts";
import { TsboxError } from "../base/error.ts";
import { type ProcessRow, type ProcessTable, parseProcess, processTable } from "../container/processes.ts";
import { allow } from "../container/state.ts";
import { joinedCgroups } from "../runtime/cgroups.ts";
import type { Context } from "./context.ts";
import type { Live } from "./live.ts";

/** `options` as for ps(1); "" is -ef. Throws TsboxError "conflict" when it does not run. */
export async function top(context: Context, live: Live, options: string): Promise<ProcessTable> {
  allow("top", live.record);
  const [cgroup] = live.record.plan === null ? [] : joinedCgroups(live.record.plan);
  if (cgroup === undefined)
    throw new TsboxError("unsupported", "listing processes needs a control group, and this container has none");
  const members = await read(context, `${cgroup.mount}/${cgroup.path}/cgroup.procs`);
  const pids = (members ?? "").split("\n").filter((pid) => pid !== "");
  const rows = (await Promise.all(pids.map((pid) => processOf(context, pid)))).filter((row) => row !== null);
  return processTable(options, rows, await moment(context));
}

/** null when it has ended meanwhile. */
async function processOf(context: Context, pid: string): Promise<ProcessRow | null> {
  const [stat, status, cmdline] = await Promise.all(
    ["stat", "status", "cmdline"].map((name) => read(context, `/proc/${pid}/${name}`)),
  );
  return typeof stat !== "string" || typeof status !== "string"
    ? null
    : parseProcess({ stat, status, cmdline: cmdline ?? "" });
}

async function moment(context: Context): Promise<Parameters<typeof processTable>[2]> {
  const [stat, passwd] = await Promise.all([read(context, "/proc/stat"), read(context, "/etc/passwd")]);
  const names = new Map((passwd ?? "").split("\n").map((line) => [line.split(":")[2], line.split(":")[0]]));
  return {
    now: Number(context.ports.clock.now() / 1_000_000_000n),
    boot: Number(/^btime (\d+)/m.exec(stat ?? "")?.[1] ?? 0),
    secondsEast: (at) => 60 * (context.ports.clock.minutesEast?.(at * 1000) ?? 0),
    userName: (uid) => names.get(String(uid)) ?? String(uid),
  };
}

/** null when the file, or the process it tells of, is gone. */
async function read(context: Context, path: string): Promise<string | null> {
  try {
    return decodeBytes(await context.machine.disk.read(path as HostPath));
  } catch (error) {
    if (error instanceof Errno && ["ENOENT", "ESRCH", "ENODEV"].includes(error.errno)) return null;
    throw error;
  }
}
