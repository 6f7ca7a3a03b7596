/**
 * What ps(1) shows of processes, from the texts of proc(5): `docker top` gives the host's view of a container.
 */
import { TsboxError } from "../base/error.ts";

/** The texts of /proc/<pid>/…; the command line is empty for a process of the kernel or one that has ended. */
export interface ProcessTexts {
  readonly stat: string;
  readonly status: string;
  readonly cmdline: string;
}

export interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly uid: number;
  /** The file's name, at most 15 bytes of it. */
  readonly name: string;
  /** With its arguments; "[name]" without a command line. */
  readonly command: string;
  /** "pts/0", "?" without a terminal. */
  readonly terminal: string;
  /** Seconds since boot. */
  readonly started: number;
  /** Processor time, in seconds. */
  readonly used: number;
}

/** Ticks a second in /proc: USER_HZ, 100 on every architecture we know. */
const userHz = 100;
const unix98Slave = 136; // major number of /dev/pts/0 … 255

export function parseProcess({ stat, status, cmdline }: ProcessTexts): ProcessRow {
  // The name stands in brackets and may hold anything, brackets too.
  const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
  const fields = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
  const field = (number: number): number => fields[number - 3] ?? 0;
  const words = cmdline.split("\0").filter((word, index, all) => index < all.length - 1 || word !== "");
  return {
    pid: Number.parseInt(stat, 10),
    parent: field(4),
    uid: Number(/^Uid:\s+(\d+)/m.exec(status)?.[1] ?? 0),
    name,
    command: words.length === 0 ? `[${name}]` : words.join(" "),
    terminal: terminalName(field(7)),
    started: field(22) / userHz,
    used: (field(14) + field(15)) / userHz,
  };
}

function terminalName(device: number): string {
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00);
  return major === unix98Slave ? `pts/${minor}` : "?";
}

export interface Moment {
  /** Seconds since the epoch: now, and when the machine was booted. */
  readonly now: number;
  readonly boot: number;
  readonly userName: (uid: number) => string;
  /** How far local time is ahead of UTC then, in seconds. */
  readonly secondsEast: (at: number) => number;
}

interface Column {
  readonly title: string;
  readonly show: (row: ProcessRow, moment: Moment) => string;
}

/** By their names after -o (ps(1), STANDARD FORMAT SPECIFIERS). */
const columns: Readonly<Record<string, Column>> = {
  user: { title: "USER", show: ({ uid }, { userName }) => shortened(userName(uid)) },
  uid: { title: "UID", show: ({ uid }) => String(uid) },
  pid: { title: "PID", show: ({ pid }) => String(pid) },
  ppid: { title: "PPID", show: ({ parent }) => String(parent) },
  c: { title: "C", show: utilisation },
  stime: {
    title: "STIME",
    show: ({ started }, moment) => startText(localTime(moment.boot + started, moment), localTime(moment.now, moment)),
  },
  tty: { title: "TT", show: ({ terminal }) => terminal },
  time: { title: "TIME", show: ({ used }) => clockText(used) },
  comm: { title: "COMMAND", show: ({ name }) => name },
  args: { title: "COMMAND", show: ({ command }) => command },
  cmd: { title: "CMD", show: ({ command }) => command },
};

/** `-f`: the user stands under UID, the terminal under TTY. */
const full: readonly Column[] = [
  { ...columnOf("user"), title: "UID" },
  ...["pid", "ppid", "c", "stime"].map(columnOf),
  { ...columnOf("tty"), title: "TTY" },
  ...["time", "cmd"].map(columnOf),
];

function columnOf(name: string): Column {
  const column = columns[name];
  if (column === undefined)
    throw new TsboxError("invalid", `ps: no column ${name}: there are ${Object.keys(columns).join(", ")}`);
  return column;
}

/** Throws TsboxError "unsupported" for other options of ps than -ef and -o. */
function columnsFor(options: string): readonly Column[] {
  if (["", "-ef", "-f", "ef"].includes(options)) return full;
  const list = /^-?(?:e|A)?o ?([a-z, ]+)$/.exec(options)?.[1];
  if (list === undefined)
    throw new TsboxError("unsupported", `ps ${options}: use -ef, or -o with ${Object.keys(columns).join(", ")}`);
  return list
    .split(/[, ]+/)
    .filter((name) => name !== "")
    .map(columnOf);
}

export interface ProcessTable {
  readonly titles: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export function processTable(options: string, rows: readonly ProcessRow[], moment: Moment): ProcessTable {
  const chosen = columnsFor(options.trim());
  const ordered = rows.toSorted((a, b) => a.pid - b.pid);
  return {
    titles: chosen.map(({ title }) => title),
    rows: ordered.map((row) => chosen.map(({ show }) => show(row, moment))),
  };
}

/** A name too long for its column ends in a plus. */
function shortened(name: string): string {
  return name.length > 8 ? `${name.slice(0, 7)}+` : name;
}

/** Per cent of the time since its start. */
function utilisation({ started, used }: ProcessRow, { now, boot }: Moment): string {
  const elapsed = now - boot - started;
  return String(elapsed <= 0 ? 0 : Math.min(99, Math.floor((used / elapsed) * 100)));
}

const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** What a clock on the wall shows then, as if it were UTC. */
function localTime(at: number, { secondsEast }: Moment): Date {
  return new Date((at + secondsEast(at)) * 1000);
}

/** The hour on the day itself, the day in the year itself, else the year. */
function startText(date: Date, today: Date): string {
  if (date.toISOString().slice(0, 10) === today.toISOString().slice(0, 10)) return date.toISOString().slice(11, 16);
  if (date.getUTCFullYear() !== today.getUTCFullYear()) return String(date.getUTCFullYear());
  return `${months[date.getUTCMonth()]}${String(date.getUTCDate()).padStart(2, "0")}`;
}

function clockText(seconds: number): string {
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return parts.map((part) => String(part).padStart(2, "0")).join(":");
}
