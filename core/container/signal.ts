/** Signals by name and number, those of Linux on x86-64 and arm64 (signal(7)). */
import { TsboxError } from "../base/error.ts";

const names = (
  "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU " +
  "URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
).split(" ");
const aliases: Readonly<Record<string, number>> = { IOT: 6, POLL: 29, UNUSED: 31, CLD: 17 };
const firstRealtime = 34;
const lastRealtime = 64;

export const SIGKILL = 9;
export const SIGTERM = 15;

/** The number of "SIGINT", "int", "2", "RTMIN+3". Throws TsboxError "invalid" in docker's words. */
export function parseSignal(text: string): number {
  const number = /^\d+$/.test(text) ? Number(text) : numberOf(text.toUpperCase().replace(/^SIG/, ""));
  if (number === null || number < 1 || number > lastRealtime)
    throw new TsboxError("invalid", `invalid signal: ${text}`);
  return number;
}

function numberOf(name: string): number | null {
  const at = names.indexOf(name);
  return at >= 0 ? at + 1 : (aliases[name] ?? realtime(name));
}

function realtime(name: string): number | null {
  const [, end, offset = "0"] = /^RT(MIN|MAX)([+-]\d+)?$/.exec(name) ?? [];
  if (end === undefined) return null;
  const number = (end === "MIN" ? firstRealtime : lastRealtime) + Number(offset);
  return number >= firstRealtime && number <= lastRealtime ? number : null;
}

/** "SIGINT" for 2; the number itself for one that has no name. */
export function signalName(number: number): string {
  const name = names[number - 1];
  return name === undefined ? String(number) : `SIG${name}`;
}
