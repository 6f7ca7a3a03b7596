/** ps, top, kill, killall, pidof, pgrep, free, uptime, renice: processes and what they use. All of it is read from /proc. */
import { readUsers, type User } from "../accounts.ts";
import type { Sys } from "../../kernel/sys.ts";
import { applet, type Context, Failure, isTerminal, readText, UsageFailure } from "../applet.ts";
import { strftime } from "../calendar.ts";
import { parseOptions } from "../options.ts";
import { memory, type ProcessEntry, readProcesses, uptime } from "../processes.ts";
import { signalName, signalNumber, signalNumbers } from "../signals.ts";
import { humanSize } from "../sizes.ts";

// ps

interface Column {
  readonly title: string;
  readonly width: number;
  readonly value: (entry: ProcessEntry, users: readonly User[]) => string;
  readonly right?: boolean;
}

const userName = (users: readonly User[], uid: number): string =>
  users.find((user) => user.uid === uid)?.name ?? String(uid);

function kilobytes(value: number): string {
  if (value < 10_000) return String(value);
  return value < 10_000 * 1024 ? `${Math.floor(value / 1024)}m` : `${(value / 1024 / 1024).toFixed(1)}g`;
}

/** In the order in which busybox names them. */
const columns: Readonly<Record<string, Column>> = {
  user: { title: "USER", width: 8, value: ({ uid }, users) => userName(users, uid).slice(0, 8) },
  group: { title: "GROUP", width: 8, value: ({ gid }) => String(gid) },
  comm: { title: "COMMAND", width: 16, value: ({ name }) => name },
  args: { title: "COMMAND", width: 0, value: ({ command }) => command },
  pid: { title: "PID", width: 5, right: true, value: ({ pid }) => String(pid) },
  ppid: { title: "PPID", width: 5, right: true, value: ({ parent }) => String(parent) },
  pgid: { title: "PGID", width: 5, right: true, value: ({ group }) => String(group) },
  nice: { title: "NI", width: 5, right: true, value: ({ nice }) => String(nice) },
  rgroup: { title: "RGROUP", width: 8, value: ({ gid }) => String(gid) },
  ruser: { title: "RUSER", width: 8, value: ({ uid }, users) => userName(users, uid).slice(0, 8) },
  tty: { title: "TT", width: 6, value: ({ terminal }) => terminal },
  vsz: { title: "VSZ", width: 4, value: ({ virtualKb }) => kilobytes(virtualKb) },
  sid: { title: "SID", width: 5, right: true, value: ({ session }) => String(session) },
  stat: { title: "STAT", width: 4, value: ({ state }) => state },
  rss: { title: "RSS", width: 4, value: ({ residentKb }) => kilobytes(residentKb) },
};

const ps = applet(async (context) => {
  const [first = "", ...rest] = context.args;
  const args = /^[a-z]+$/.test(first) ? [`-${first}`, ...rest] : context.args;
  const options = parseOptions(args, { flags: "aAdefTwlxuwZ", valued: "opUC" });
  const wanted = options.has("o")
    ? options.values("o").flatMap((list) => list.split(","))
    : context.args.some((arg) => /^-?[a-z]*l/.test(arg))
      ? ["stat", "pid", "ppid", "vsz", "rss", "tty", "args"]
      : ["pid", "user", "args"];
  const chosen = wanted.map((text) => columnOf(text));
  const users = await readUsers(context.sys);
  const entries = await readProcesses(context.sys);
  const line = (cells: readonly string[], isTitle: boolean): string => {
    const padded = chosen.map(({ width, right }, index) => {
      const cell = cells[index] ?? "";
      const isLast = index === chosen.length - 1;
      return right === true && !isTitle ? cell.padStart(width) : isLast ? cell : cell.padEnd(width);
    });
    return `${padded.join(" ").trimEnd()}\n`;
  };
  const titles = chosen.map(({ title }) => title);
  if (titles.some((title) => title !== "")) context.out.put(line(titles, true));
  for (const entry of entries)
    context.out.put(
      line(
        chosen.map(({ value }) => value(entry, users)),
        false,
      ),
    );
  return 0;
});

function columnOf(text: string): Column {
  const [name = "", title] = text.split("=");
  const column = columns[name];
  if (column === undefined)
    throw new Failure(`bad -o argument '${name}', supported arguments: ${Object.keys(columns).join(",")}`);
  return title === undefined ? column : { ...column, title };
}

// top and its numbers

/** Waits; at a terminal q or ^C leaves. */
async function leaves(sys: Sys, pause: bigint): Promise<boolean> {
  if (!isTerminal(sys, 0)) {
    await sys.sleep(pause);
    return false;
  }
  const mode = sys.terminalMode(0);
  sys.setTerminalMode(0, { canonical: false, echo: false });
  try {
    const ready = await sys.poll([{ fd: 0, read: true, write: false }], pause);
    if (ready.length === 0) return false;
    const [key] = await sys.read(0, 1);
    return key === undefined || key === quitKey;
  } finally {
    sys.setTerminalMode(0, mode);
  }
}

const quitKey = 0x71;

/** What the processor did since the start: what processes used is told, and the rest was idle. */
function processorLine(entries: readonly ProcessEntry[], seconds: number): string {
  const used = entries.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
  const user = Math.min(100, Math.round((100 * used) / seconds));
  const share = (percent: number): string => `${percent}%`.padStart(4);
  return `CPU:${share(user)} usr${share(0)} sys${share(0)} nic${share(100 - user)} idle${share(0)} io${share(0)} irq${share(0)} sirq\n`;
}

const top = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "bHm", valued: "nd" });
  const rounds = Number(options.value("n") ?? (options.has("b") ? 1 : Infinity));
  const pause = BigInt(Math.round(Number(options.value("d") ?? 5) * 1e9));
  for (let round = 0; round < rounds; round++) {
    if (round > 0 && (await leaves(context.sys, pause))) break;
    await context.out.print((options.has("b") ? "" : "\x1b[H\x1b[J") + (await screen(context)));
    await context.out.flush();
  }
  return 0;
});

async function screen(context: Context): Promise<string> {
  const amounts = await memory(context.sys);
  const users = await readUsers(context.sys);
  const entries = (await readProcesses(context.sys)).toSorted((a, b) => b.cpuSeconds - a.cpuSeconds || a.pid - b.pid);
  const total = amounts.get("MemTotal") ?? 0;
  const free = amounts.get("MemFree") ?? 0;
  const now = Math.max(0.01, await uptime(context.sys));
  const load = (await readText(context.sys, "/proc/loadavg")).trim();
  const rows = entries.map((entry) => {
    const cells = [
      String(entry.pid).padStart(5),
      String(entry.parent).padStart(5),
      userName(users, entry.uid).slice(0, 8).padEnd(8),
      entry.state.padEnd(4),
    ];
    const share = (part: number, whole: number): string =>
      `${Math.min(100, Math.round((100 * part) / Math.max(1e-9, whole)))}%`.padStart(4);
    return `${cells.join(" ")} ${kilobytes(entry.virtualKb).padStart(5)} ${share(entry.virtualKb, total)} ${share(entry.cpuSeconds, now)} ${entry.command}\n`;
  });
  return `Mem: ${total - free}K used, ${free}K free, 0K shrd, ${amounts.get("Buffers") ?? 0}K buff, ${amounts.get("Cached") ?? 0}K cached\n${processorLine(entries, now)}Load average: ${load}\n  PID  PPID USER     STAT   VSZ %VSZ %CPU COMMAND\n${rows.join("")}`;
}

const free = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "bkmgh" });
  const amounts = await memory(context.sys);
  const unit = { b: 1 / 1024, k: 1, m: 1024, g: 1024 * 1024, h: 1 }[options.last("bkmgh") ?? "k"] ?? 1;
  const show = (kb: number): string =>
    (options.has("h") ? humanSize(kb * 1024) : String(Math.floor(kb / unit))).padStart(11);
  const get = (name: string): number => amounts.get(name) ?? 0;
  const cached = get("Cached") + get("SReclaimable");
  const used = get("MemTotal") - get("MemFree") - get("Buffers") - cached;
  const row = (name: string, values: readonly number[]): string => `${name.padEnd(8)}${values.map(show).join(" ")}
`;
  const titles = ["total", "used", "free", "shared", "buff/cache", "available"]
    .map((title) => title.padStart(11))
    .join(" ");
  context.out.put(`${" ".repeat(8)}${titles}\n`);
  context.out.put(
    row("Mem:", [get("MemTotal"), used, get("MemFree"), get("Shmem"), get("Buffers") + cached, get("MemAvailable")]),
  );
  context.out.put(row("Swap:", [get("SwapTotal"), get("SwapTotal") - get("SwapFree"), get("SwapFree")]));
  return 0;
});

const uptimeProgram = applet(async (context) => {
  const seconds = await uptime(context.sys);
  const [one = "0.00", five = "0.00", fifteen = "0.00"] = (await readText(context.sys, "/proc/loadavg")).split(" ");
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor(seconds / 3600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  const clockText = hours > 0 ? `${String(hours).padStart(2)}:${String(minutes).padStart(2, "0")}` : `${minutes} min`;
  const dayText = days > 0 ? `${days} day${days === 1 ? "" : "s"}, ` : "";
  await context.out.print(
    ` ${strftime("%H:%M:%S", context.sys.now())} up ${dayText}${clockText},  0 users,  load average: ${one}, ${five}, ${fifteen}\n`,
  );
  return 0;
});

// Signals

const kill = applet(async (context) => {
  const { args, sys } = context;
  const [first = ""] = args;
  if (first === "-l" || first === "-L") return listSignals(context, args.slice(1));
  const { signal, rest } = signalOption(args);
  if (rest.length === 0) throw new Failure("you need to specify whom to kill");
  for (const text of rest) {
    if (!/^-?\d+$/.test(text)) {
      await context.complain(`invalid number '${text}'`);
      continue;
    }
    await context.attempt(
      () => sys.kill(Number(text), signal),
      (reason) => `can't kill pid ${text}: ${reason}`,
    );
  }
  return context.code;
});

function signalOption(args: readonly string[]): { signal: number; rest: readonly string[] } {
  const [first = "", second = ""] = args;
  const isNamed = first === "-s" || first === "-n";
  if (!isNamed && (!/^-./.test(first) || first === "--"))
    return { signal: 15, rest: first === "--" ? args.slice(1) : args };
  const text = isNamed ? second : first.slice(1);
  const signal = signalNumber(text);
  if (signal === null) throw new Failure(`bad signal name '${text}'`);
  const rest = args.slice(isNamed ? 2 : 1);
  return { signal, rest: rest[0] === "--" ? rest.slice(1) : rest };
}

async function listSignals(context: Context, names: readonly string[]): Promise<number> {
  if (names.length === 0)
    context.out.put(signalNumbers.map((number) => `${String(number).padStart(2)}) ${signalName(number)}\n`).join(""));
  for (const name of names) {
    const number = signalNumber(name);
    if (number === null) throw new Failure(`bad signal name '${name}'`);
    context.out.put(`${/^\d+$/.test(name) ? signalName(number & 127) : number}\n`);
  }
  return 0;
}

const isNamed = (entry: ProcessEntry, name: string): boolean =>
  entry.name === name || entry.command.split(" ")[0]?.split("/").pop() === name;

const killall = applet(async (context) => {
  if (context.args[0] === "-l") {
    for (const number of signalNumbers) context.out.put(`${String(number).padStart(2)}) ${signalName(number)}\n`);
    return 0;
  }
  const isQuiet = context.args.includes("-q");
  const { signal, rest } = signalOption(context.args.filter((arg) => arg !== "-q"));
  if (rest.length === 0) throw new Failure("you need to specify whom to kill");
  const entries = await readProcesses(context.sys);
  for (const name of rest) {
    const found = entries.filter((entry) => isNamed(entry, name) && entry.pid !== context.sys.pid);
    if (found.length === 0) await context.complain(isQuiet ? "" : `${name}: no process killed`);
    for (const { pid } of found) {
      await context.attempt(
        () => context.sys.kill(pid, signal),
        (reason) => `can't kill pid ${pid}: ${reason}`,
      );
    }
  }
  return context.code;
});

const pidof = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "s", valued: "o" });
  const left = new Set(options.values("o").map(Number));
  const entries = (await readProcesses(context.sys)).filter(({ pid }) => !left.has(pid) && pid !== context.sys.pid);
  const pids = options.operands
    .flatMap((name) => entries.filter((entry) => isNamed(entry, name)).map(({ pid }) => pid))
    .reverse();
  if (pids.length === 0) return 1;
  await context.out.print(`${(options.has("s") ? pids.slice(0, 1) : pids).join(" ")}\n`);
  return 0;
});

function matching(isKill: boolean) {
  return applet(async (context) => {
    const option =
      isKill && /^-[A-Z0-9]/.test(context.args[0] ?? "")
        ? signalOption(context.args)
        : { signal: 15, rest: context.args };
    const options = parseOptions(option.rest, { flags: "flnovx", valued: "Psu", operandsMax: 1 });
    const [pattern = ""] = options.operands;
    if (pattern === "" && !options.has("P")) throw new UsageFailure("");
    const regex = new RegExp(options.has("x") ? `^(?:${pattern})$` : pattern);
    const parent = options.value("P");
    const found = (await readProcesses(context.sys)).filter((entry) => {
      const text = options.has("f") ? entry.command : entry.name;
      return (
        entry.pid !== context.sys.pid &&
        regex.test(text) !== options.has("v") &&
        (parent === undefined || entry.parent === Number(parent))
      );
    });
    const chosen = options.has("n") ? found.slice(-1) : options.has("o") ? found.slice(0, 1) : found;
    for (const { pid, name, command } of chosen) {
      if (isKill) context.sys.kill(pid, option.signal);
      else context.out.put(options.has("l") ? `${pid} ${options.has("f") ? command : name}\n` : `${pid}\n`);
    }
    return found.length > 0 ? 0 : 1;
  });
}

const pwdx = applet(async (context) => {
  for (const pid of context.args) {
    await context.attempt(
      () => context.out.print(`${pid}: ${context.sys.readlink(`/proc/${pid}/cwd`)}\n`),
      (reason) => `${pid}: ${reason}`,
    );
  }
  return context.code;
});

export const programs = {
  free,
  kill,
  killall,
  pgrep: matching(false),
  pidof,
  pkill: matching(true),
  ps,
  pwdx,
  top,
  uptime: uptimeProgram,
};
