/** Signals by name and number, and the words for them (signal(7), the numbers of x86 and arm). */
const table: readonly (readonly [number, string, string])[] = [
  [1, "HUP", "Hangup"],
  [2, "INT", "Interrupt"],
  [3, "QUIT", "Quit"],
  [4, "ILL", "Illegal instruction"],
  [5, "TRAP", "Trace/breakpoint trap"],
  [6, "ABRT", "Aborted"],
  [7, "BUS", "Bus error"],
  [8, "FPE", "Floating point exception"],
  [9, "KILL", "Killed"],
  [10, "USR1", "User defined signal 1"],
  [11, "SEGV", "Segmentation fault"],
  [12, "USR2", "User defined signal 2"],
  [13, "PIPE", "Broken pipe"],
  [14, "ALRM", "Alarm clock"],
  [15, "TERM", "Terminated"],
  [16, "STKFLT", "Stack fault"],
  [17, "CHLD", "Child exited"],
  [18, "CONT", "Continued"],
  [19, "STOP", "Stopped (signal)"],
  [20, "TSTP", "Stopped"],
  [21, "TTIN", "Stopped (tty input)"],
  [22, "TTOU", "Stopped (tty output)"],
  [23, "URG", "Urgent I/O condition"],
  [24, "XCPU", "CPU time limit exceeded"],
  [25, "XFSZ", "File size limit exceeded"],
  [26, "VTALRM", "Virtual timer expired"],
  [27, "PROF", "Profiling timer expired"],
  [28, "WINCH", "Window changed"],
  [29, "POLL", "I/O possible"],
  [30, "PWR", "Power failure"],
  [31, "SYS", "Bad system call"],
];

export const SIGHUP = 1;
export const SIGINT = 2;
export const SIGQUIT = 3;
export const SIGPIPE = 13;
export const SIGTERM = 15;
export const SIGCONT = 18;
export const SIGTSTP = 20;
export const SIGTTIN = 21;
export const SIGTTOU = 22;

/** "TERM", "SIGTERM", "term" or "15" to 15; null for what is none. 0 is "EXIT" to a trap. */
export function signalNumber(text: string): number | null {
  if (/^\d+$/.test(text)) return Number(text) <= 64 ? Number(text) : null;
  const name = text.toUpperCase().replace(/^SIG/, "");
  if (name === "EXIT") return 0;
  if (name === "IO") return 29;
  if (name === "IOT") return 6;
  return table.find(([, known]) => known === name)?.[0] ?? null;
}

export function signalName(number: number): string {
  if (number === 0) return "EXIT";
  return table.find(([known]) => known === number)?.[1] ?? String(number);
}

/** strsignal(3). */
export function signalText(number: number): string {
  return table.find(([known]) => known === number)?.[2] ?? `Unknown signal ${number}`;
}

export const signalNumbers: readonly number[] = table.map(([number]) => number);
