/**
 * strace(1): the system calls of a program, as they are made. What it shows comes by Sys.trace from the kernel; a program
 * that is traced does not go on before it was read. A call is shown when it ends, so one that waits appears late, with
 * the time it began.
 */
import { encodeText } from "../../../../core/base/bytes.ts";
import { Errno, errnoText } from "../../../../core/base/errno.ts";
import { bytesShown, type TraceEvent, type TraceValue } from "../../kernel/trace.ts";
import { type SignalInfo, SIGSEGV } from "../../kernel/signals.ts";
import type { Fd, Pid, Sys } from "../../kernel/sys.ts";
import { applet, type Context, Failure, isErrno, reasonOf } from "../applet.ts";
import { strftime } from "../calendar.ts";
import { type Options, parseOptions } from "../options.ts";
import { SIGHUP, SIGINT, signalName, SIGPIPE, SIGQUIT, SIGTERM } from "../signals.ts";
import { candidates } from "./run.ts";

type CallEvent = Extract<TraceEvent, { kind: "call" }>;

/** Columns before a call's result. */
const resultColumn = 40;
const stringShown = 32;
const eventsAtOnce = 256;
/** SIGKILL and SIGSTOP. */
const uncatchable = [9, 19];

const path = "access chdir chmod chown chroot execve getxattr link listxattr mkdir mknod mount";
const paths = "newfstatat openat pivot_root readlink removexattr rename rmdir setxattr statfs symlink";
const network =
  "accept4 bind connect getpeername getsockname listen recvfrom recvmsg sendto setsockopt shutdown socket";
const process = "clone execve exit_group kill setns unshare wait4";
const signal = "kill pause rt_sigaction";
const descriptors = "accept4 bind close connect dup dup2 fcntl fstat getdents64 ioctl listen lseek openat pipe2 poll";
/** Sets of calls by their names, as strace(1) lists them. */
const classes: Readonly<Record<string, string>> = {
  file: `${path} ${paths} truncate umount2 unlink utimensat`,
  network,
  net: network,
  process,
  signal,
  desc: `${descriptors} read write recvfrom recvmsg sendto`,
};

const strace = applet(async (context) => {
  const options = parseOptions(context.args, {
    flags: "fcCtrTqvyi",
    valued: "eopsuEX",
    inOrder: true,
    long: { trace: "e", output: "o", attach: "p", "string-limit": "s", "follow-forks": "f", "summary-only": "c" },
  });
  const { operands } = options;
  if (operands.length === 0 && !options.has("p"))
    throw new Failure("must have PROG [ARGS] or -p PID\nTry 'strace -h' for more information.");
  const to = options.has("o") ? await fileFor(context, options.value("o") ?? "") : 2;
  const tracer = new Tracer(context, options, to);
  if (options.has("p")) return tracer.attach(options.values("p").map((text) => pidOf(text)));
  return tracer.run(operands);
});

async function fileFor({ sys }: Context, name: string): Promise<Fd> {
  try {
    return await sys.open(name, { access: "write", create: true, truncate: true, mode: 0o666 });
  } catch (thrown) {
    throw new Failure(`Can't fopen '${name}': ${reasonOf(thrown)}`);
  }
}

function pidOf(text: string): Pid {
  if (!/^[1-9]\d*$/.test(text)) throw new Failure(`Invalid process id: '${text}'`);
  return Number(text);
}

/** What is shown: what `-e trace=` or `-e signal=` names, all but what has "!" in front. */
function filterOf(options: Options, wanted: "trace" | "signal"): (name: string) => boolean {
  const given = options.values("e").flatMap((text) => {
    const [, kind = "trace", list = ""] = /^(?:([a-z]+)=)?(.*)$/.exec(text) ?? [];
    return kind === wanted || kind === wanted.charAt(0) ? [list] : [];
  });
  const list = given.at(-1);
  if (list === undefined || list === "all") return () => true;
  const isNot = list.startsWith("!");
  const names = new Set(list.replace(/^!/, "").split(",").flatMap(namesOf));
  return (name) => names.has(name) !== isNot;
}

/** "%file" and "file" are a class; calls go by names that Linux no longer makes, too. */
function namesOf(word: string): string[] {
  const known = classes[word.replace(/^%/, "")];
  const modern: Readonly<Record<string, string[]>> = {
    open: ["openat"],
    stat: ["newfstatat"],
    lstat: ["newfstatat"],
    fork: ["clone"],
    pipe: ["pipe2"],
    none: [],
  };
  return known?.split(" ") ?? modern[word] ?? [word.replace(/^\?/, "")];
}

class Tracer {
  readonly #context: Context;
  readonly #options: Options;
  readonly #to: Fd;
  readonly #isShown: (call: string) => boolean;
  readonly #isShownSignal: (name: string) => boolean;
  readonly #live = new Set<Pid>();
  readonly #summary = new Summary();
  #root: Pid = 0;
  #ended: { readonly code: number; readonly signal: number } | null = null;
  #isUnderWay = false;
  #before: bigint | null = null;

  constructor(context: Context, options: Options, to: Fd) {
    this.#context = context;
    this.#options = options;
    this.#to = to;
    this.#isShown = filterOf(options, "trace");
    this.#isShownSignal = filterOf(options, "signal");
  }

  /** Starts a program that waits until it is traced. Ends as it does. */
  async run(words: readonly string[]): Promise<number> {
    const { sys, environment } = this.#context;
    const file = this.#programOf(words[0] ?? "");
    const gate = sys.pipe();
    const said = this.#context.name;
    const child = sys.fork(async (own) => {
      own.close(gate.write);
      await own.read(gate.read, 1);
      own.close(gate.read);
      return execute(own, said, file, words, environment);
    });
    sys.close(gate.read);
    this.#root = child;
    this.#live.add(child);
    const trace = await sys.trace(child, { follow: this.#options.has("f") });
    for (const each of [SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM]) sys.onSignal(each, "ignore");
    sys.close(gate.write);
    await this.#follow(trace);
    await sys.wait(child);
    await this.#summarise();
    return this.#asItEnded();
  }

  /** Until they have ended, or an interrupt says enough. */
  async attach(pids: readonly Pid[]): Promise<number> {
    const { sys } = this.#context;
    this.#isUnderWay = true;
    sys.onSignal(SIGINT, () => {});
    for (const pid of pids) {
      const trace = await this.#seize(pid);
      await this.#say(`${this.#context.name}: Process ${pid} attached\n`);
      this.#live.add(pid);
      const outcome = await this.#follow(trace);
      sys.close(trace);
      if (outcome === "stopped") await this.#say(`${this.#context.name}: Process ${pid} detached\n`);
    }
    await this.#summarise();
    return 0;
  }

  async #seize(pid: Pid): Promise<Fd> {
    try {
      return await this.#context.sys.trace(pid, { follow: this.#options.has("f") });
    } catch (thrown) {
      throw new Failure(`attach: ptrace(PTRACE_SEIZE, ${pid}): ${reasonOf(thrown)}`);
    }
  }

  #programOf(name: string): string {
    const { sys, environment } = this.#context;
    for (const candidate of candidates(name, environment)) {
      try {
        if (sys.stat(candidate).kind === "file") return candidate;
      } catch (thrown) {
        if (!(thrown instanceof Errno)) throw thrown;
      }
    }
    throw new Failure(`Can't stat '${name}': No such file or directory`);
  }

  async #follow(trace: Fd): Promise<"ended" | "stopped"> {
    for (;;) {
      let events: readonly TraceEvent[];
      try {
        events = await this.#context.sys.readTrace(trace, eventsAtOnce);
      } catch (thrown) {
        if (!isErrno(thrown, "EINTR")) throw thrown;
        return "stopped";
      }
      if (events.length === 0) return "ended";
      for (const event of events) await this.#show(event);
    }
  }

  async #show(event: TraceEvent): Promise<void> {
    if (event.kind === "lost") return this.#say(`${this.#context.name}: ${event.count} events were lost\n`);
    // Before the first execve it is this program that runs there.
    this.#isUnderWay ||= event.kind !== "call" || event.name === "execve";
    if (!this.#isUnderWay) return;
    if (!this.#live.has(event.pid)) {
      this.#live.add(event.pid);
      if (!this.#options.has("q") && !this.#options.has("o"))
        await this.#say(`${this.#context.name}: Process ${event.pid} attached\n`);
    }
    if (event.kind === "call") await this.#call(event);
    else if (event.kind === "signal") {
      const name = `SIG${signalName(event.info.signal)}`;
      const isShown = this.#isShownSignal(name) || this.#isShownSignal(name.slice(3));
      if (isShown && !this.#options.has("c"))
        await this.#line(event, `--- ${name} {${fieldsOf(event.info, name)}} ---`);
    } else await this.#end(event);
  }

  async #call(event: CallEvent): Promise<void> {
    if (!this.#isShown(event.name)) return;
    if (this.#options.has("c") || this.#options.has("C")) this.#summary.add(event);
    if (this.#options.has("c")) return;
    const call = `${event.name}(${argumentsOf(event, Number(this.#options.value("s") ?? stringShown))}) `;
    const took = this.#options.has("T") ? ` <${seconds(event.nanos)}>` : "";
    await this.#line(event, call, `= ${resultOf(event)}${took}`);
  }

  async #end(event: Extract<TraceEvent, { kind: "exit" }>): Promise<void> {
    const { pid, code, signal: killer } = event;
    if (pid === this.#root) this.#ended = { code, signal: killer };
    const how = killer === 0 ? `exited with ${code}` : `killed by SIG${signalName(killer)}`;
    if (!this.#options.has("c")) await this.#line(event, `+++ ${how} +++`);
    this.#live.delete(pid);
  }

  /** With whose it is, and when, as asked for; a result has its column. */
  async #line({ pid, at }: Exclude<TraceEvent, { kind: "lost" }>, text: string, result = ""): Promise<void> {
    const isInFile = this.#options.has("o") && this.#options.has("f");
    const whose = isInFile
      ? `${String(pid).padEnd(5)} `
      : this.#live.size > 1
        ? `[pid ${String(pid).padStart(5)}] `
        : "";
    const line = `${whose}${this.#time(at)}${text}`;
    await this.#write(this.#to, `${result === "" ? line : line.padEnd(resultColumn) + result}\n`);
  }

  #time(at: bigint): string {
    const micros = String((at / 1000n) % 1_000_000n).padStart(6, "0");
    if (this.#options.has("r")) {
      const since = at - (this.#before ?? at);
      this.#before = at;
      return `${seconds(since).padStart(12)} `;
    }
    switch (this.#options.count("t")) {
      case 0:
        return "";
      case 1:
        return `${strftime("%H:%M:%S", at)} `;
      case 2:
        return `${strftime("%H:%M:%S", at)}.${micros} `;
      default:
        return `${at / 1_000_000_000n}.${micros} `;
    }
  }

  async #say(text: string): Promise<void> {
    await this.#write(2, text);
  }

  /** A reader that has gone ends the showing, not the program. */
  async #write(fd: Fd, text: string): Promise<void> {
    try {
      await this.#context.sys.write(fd, encodeText(text));
    } catch (thrown) {
      if (!isErrno(thrown, "EPIPE")) throw thrown;
    }
  }

  async #summarise(): Promise<void> {
    if (this.#options.has("c") || this.#options.has("C")) await this.#write(this.#to, this.#summary.text());
  }

  async #asItEnded(): Promise<number> {
    if (this.#ended === null) return 1;
    const { code, signal: killer } = this.#ended;
    if (killer === 0) return code;
    if (!uncatchable.includes(killer)) this.#context.sys.onSignal(killer, "default");
    this.#context.sys.kill(this.#context.sys.pid, killer);
    await this.#context.sys.pause();
    return 128 + killer;
  }
}

const nanosPerTick = 10_000_000n;

/** siginfo_t as strace(1) has it. */
function fieldsOf({ signal, code, pid, uid, status, cpuNanos }: SignalInfo, name: string): string {
  const head = `si_signo=${name}, si_code=${code}`;
  if (code === "SI_KERNEL") return signal === SIGSEGV ? `${head}, si_addr=NULL` : head;
  const sender = `${head}, si_pid=${pid}, si_uid=${uid}`;
  if (code === "SI_USER") return sender;
  const how = code === "CLD_EXITED" ? String(status) : `SIG${signalName(status)}`;
  return `${sender}, si_status=${how}, si_utime=${cpuNanos / nanosPerTick}, si_stime=0`;
}

async function execute(
  own: Sys,
  said: string,
  file: string,
  words: readonly string[],
  environment: readonly string[],
): Promise<number> {
  try {
    return await own.exec(file, words, environment);
  } catch (thrown) {
    await own.write(2, encodeText(`${said}: exec: ${reasonOf(thrown)}\n`));
    return 1;
  }
}

function seconds(nanos: bigint): string {
  return `${nanos / 1_000_000_000n}.${String((nanos / 1000n) % 1_000_000n).padStart(6, "0")}`;
}

function argumentsOf({ arguments: given }: CallEvent, shown: number): string {
  return given.map((value, at) => valueText(value, given[at + 1], shown)).join(", ");
}

/** Of a buffer `shown` bytes; what follows it says how long it is. */
function valueText(value: TraceValue, next: TraceValue | undefined, shown: number): string {
  if (value instanceof Uint8Array) {
    const isCut =
      value.length > shown || (value.length === bytesShown && typeof next === "number" && next > bytesShown);
    return `${quoted(value.subarray(0, shown))}${isCut ? "..." : ""}`;
  }
  return typeof value === "object" ? quoted(encodeText(value.text)) : String(value);
}

const escapes: Readonly<Record<number, string>> = {
  9: "\\t",
  10: "\\n",
  11: "\\v",
  12: "\\f",
  13: "\\r",
  34: '\\"',
  92: "\\\\",
};

/** Octal for what is no character of ASCII, as short as what follows allows. */
function quoted(bytes: Uint8Array): string {
  const parts = Array.from(bytes, (byte, at) => {
    if (escapes[byte] !== undefined) return escapes[byte];
    if (byte >= 32 && byte < 127) return String.fromCharCode(byte);
    const next = bytes[at + 1] ?? 0;
    return `\\${next >= 48 && next <= 55 ? byte.toString(8).padStart(3, "0") : byte.toString(8)}`;
  });
  return `"${parts.join("")}"`;
}

function resultOf({ result, errno }: CallEvent): string {
  if (errno !== null) return `-1 ${errno} (${errnoText(errno)})`;
  return result === null ? "?" : valueText(result, undefined, stringShown);
}

/** Calls by name: how often, how long, how many failed. */
class Summary {
  readonly #rows = new Map<string, { calls: number; errors: number; nanos: bigint }>();

  add({ name, nanos, errno }: CallEvent): void {
    const row = this.#rows.get(name) ?? { calls: 0, errors: 0, nanos: 0n };
    row.calls++;
    row.nanos += nanos;
    if (errno !== null) row.errors++;
    this.#rows.set(name, row);
  }

  text(): string {
    const rows = [...this.#rows].sort(([, one], [, other]) => Number(other.nanos - one.nanos));
    const total = rows.reduce((sum, [, { nanos }]) => sum + nanos, 0n);
    const sum = (of: "calls" | "errors"): number => rows.reduce((all, [, row]) => all + row[of], 0);
    const line = (nanos: bigint, calls: number, errors: number, name: string): string => {
      const share = total === 0n ? 0 : (Number(nanos) * 100) / Number(total);
      const each = Math.floor(Number(nanos) / 1000 / Math.max(calls, 1));
      const columns = [share.toFixed(2).padStart(6), seconds(nanos).padStart(11), String(each).padStart(11)];
      return `${[...columns, String(calls).padStart(9), String(errors || "").padStart(9)].join(" ")} ${name}\n`;
    };
    const ruler = "------ ----------- ----------- --------- --------- ----------------\n";
    return [
      "% time     seconds  usecs/call     calls    errors syscall\n",
      ruler,
      ...rows.map(([name, { nanos, calls, errors }]) => line(nanos, calls, errors, name)),
      ruler,
      line(total, sum("calls"), sum("errors"), "total"),
    ].join("");
  }
}

export const programs = { strace };
