/**
 * Several processes of the simulated kernel that make system calls as a script tells them: what actors.c does on the
 * real one. A line is "ACTOR CALL ARGUMENT…"; the answer is the call's result, the name of its error, or
 *
 *   waits   it has not returned; later lines tell of it ("  2: 0"), and until then the actor is "busy"
 *   dies    the actor has ended; then it is "gone"
 *
 * Actor 0 is process 2 of a pid namespace of its own, with an IPC, mount and UTS namespace.
 */
import { bootHost } from "../../backends/sim/host.ts";
import type { Kernel } from "../../backends/sim/kernel/kernel.ts";
import { clone } from "../../backends/sim/kernel/namespaces.ts";
import { wouldBlock } from "../../backends/sim/kernel/open-file.ts";
import { jumping } from "../../backends/sim/kernel/pace.ts";
import { isAlive, type Process } from "../../backends/sim/kernel/process.ts";
import type { SharingMode } from "../../backends/sim/kernel/propagation.ts";
import type { SignalInfo } from "../../backends/sim/kernel/signals.ts";
import type { OpenOptions, Sys } from "../../backends/sim/kernel/sys.ts";
import { seededRandom } from "../../backends/sim/random.ts";
import { Errno } from "../../core/base/errno.ts";
import { capabilityNumbers, type Capability } from "../../core/runtime/capabilities.ts";
import type { Namespace } from "../../core/runtime/plan.ts";

const bootTime = 1_700_000_000_000_000_000n;
const actorsMax = 8;
/** The number of no process. */
const nobody = 99_999;

interface Actor {
  readonly number: number;
  readonly sys: Sys;
  /** The numbers that it, or whoever it is a child of, gave others. */
  readonly pids: Map<number, number>;
  readonly attached: number[];
  readonly queues: number[];
  /** Those it noted. */
  readonly signals: SignalInfo[];
}

/** Its command and its answer, as the script sees them. */
interface Box {
  process: Process | null;
  command: string | null;
  answer: string | null;
  isPending: boolean;
  wasAlive: boolean;
}

/** What each line gave, late answers and deaths among them. `prepare` sets the scene as the host's root. */
export async function playInSimulator(
  script: readonly string[],
  prepare: (sys: Sys) => Promise<void> | void = () => {},
): Promise<string[]> {
  const kernel = bootHost({
    now: bootTime,
    random: seededRandom(1),
    pace: jumping(() => Promise.resolve()),
    loader: { standIn: () => Promise.resolve(tellIds), webAssembly: () => Promise.reject(new Errno("ENOEXEC")) },
  });
  const boxes: Box[] = Array.from({ length: actorsMax }, () => ({
    process: null,
    command: null,
    answer: null,
    isPending: false,
    wasAlive: false,
  }));
  await begin(kernel, boxes, prepare);
  const lines: string[] = [];
  for (const line of script) {
    lines.push(await answerTo(kernel, boxes, line));
    for (const [number, box] of boxes.entries()) lines.push(...newsOf(box).map((news) => `  ${number}: ${news}`));
  }
  return lines;
}

async function begin(kernel: Kernel, boxes: Box[], prepare: (sys: Sys) => Promise<void> | void): Promise<void> {
  const director = kernel.launch("director", async (sys) => {
    await prepare(sys);
    const flags = { namespaces: ["pid", "ipc", "mount", "uts"], pids: null, idMaps: null } as const;
    const every = Object.keys(capabilityNumbers) as Capability[];
    const kept = every.filter((each) => each !== "CAP_SYS_RESOURCE");
    clone(kernel, director, flags, async (first) => {
      first.setHostname("actors");
      first.setCapabilities({ bounding: kept, effective: kept, permitted: kept });
      // Its children's ends are nobody's news but the actors'.
      start(kernel, boxes, first, { number: 0, pids: new Map(), attached: [], queues: [], signals: [] });
      await first.pause();
      return 0;
    });
    await sys.pause();
    return 0;
  });
  await kernel.turns.run();
}

function start(kernel: Kernel, boxes: Box[], parent: Sys, made: Omit<Actor, "sys">): number {
  const box = boxes[made.number];
  if (box === undefined) throw new Error(`there are ${actorsMax} actors`);
  return parent.fork(async (sys) => {
    const process = kernel.turns.current;
    if (process === null) throw new Error("an actor has its turn");
    Object.assign(box, { process, command: null, answer: null, isPending: false, wasAlive: true });
    for (;;) {
      const command = await kernel.turns.call(process, () => box.command ?? wouldBlock, { interruptible: false });
      box.command = null;
      box.answer = await perform(kernel, boxes, { ...made, sys }, command.split(" "));
    }
  });
}

async function answerTo(kernel: Kernel, boxes: Box[], line: string): Promise<string> {
  const [number = "", ...command] = line.split(" ");
  const box = boxes[Number(number)];
  if (box === undefined || box.process === null || !isAlive(box.process)) return "gone";
  if (box.isPending) return "busy";
  box.isPending = true;
  kernel.turns.admit(() => {
    box.command = command.join(" ");
  });
  await kernel.turns.run();
  if (!isAlive(box.process)) {
    box.wasAlive = false;
    box.answer = null; // a signal ends it on its way back from the call
    return "dies";
  }
  return takeAnswer(box) ?? "waits";
}

function takeAnswer(box: Box): string | null {
  const { answer } = box;
  if (answer !== null) box.isPending = false;
  box.answer = null;
  return answer;
}

function newsOf(box: Box): string[] {
  const late = takeAnswer(box);
  const died = box.wasAlive && box.process !== null && !isAlive(box.process);
  if (died) box.wasAlive = false;
  return [...(late === null ? [] : [late]), ...(died ? ["dies"] : [])];
}

async function perform(kernel: Kernel, boxes: Box[], actor: Actor, words: readonly string[]): Promise<string> {
  const [call = "", ...given] = words;
  try {
    const known = calls[call];
    const performed = known === undefined ? processCall(kernel, boxes, actor, call, given) : await known(actor, given);
    return performed === undefined ? "0" : String(performed);
  } catch (thrown) {
    if (thrown instanceof Errno) return thrown.errno;
    throw thrown;
  }
}

function processCall(
  kernel: Kernel,
  boxes: Box[],
  { sys, pids, attached, queues }: Actor,
  call: string,
  [first = ""]: readonly string[],
): number {
  if (call !== "fork") throw new Error(`there is no call ${call}`);
  const number = Number(first);
  const pid = start(kernel, boxes, sys, {
    number,
    pids: new Map(pids),
    attached: [...attached],
    queues: [...queues],
    signals: [],
  });
  pids.set(number, pid);
  return pid;
}

type Given = readonly string[];
type Performed = number | string | void | Promise<number | string | void>;

function flagsOf(words: string, mode: string): { create: boolean; exclusive: boolean; mode: number } {
  return { create: words.includes("c"), exclusive: words.includes("x"), mode: Number.parseInt(mode, 8) };
}

const kinds: Readonly<Record<string, Namespace>> = {
  m: "mount",
  u: "uts",
  i: "ipc",
  p: "pid",
  n: "network",
  U: "user",
  C: "cgroup",
};

function namespacesOf(letters: string): Namespace[] {
  return [...letters].flatMap((letter) => kinds[letter] ?? []);
}

function textOf(word: string): Uint8Array {
  return new TextEncoder().encode(word.startsWith("*") ? "x".repeat(Number(word.slice(1))) : word);
}

function shown(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes.slice(0, 40));
}

function nanosOf(milliseconds: string | undefined): bigint | null {
  return milliseconds === undefined ? null : BigInt(milliseconds) * 1_000_000n;
}

/** Each call as actors.c has it. */
const calls: Readonly<Record<string, (actor: Actor, given: Given) => Performed>> = {
  // Shared memory
  shmget: ({ sys }, [key, size, flags = "", mode = "0"]) =>
    sys.sharedMemory(Number(key), Number(size), flagsOf(flags, mode)),
  shmat: ({ sys, attached }, [id, readOnly]) =>
    attached.push(sys.attachMemory(Number(id), { readOnly: readOnly !== undefined })) - 1,
  shmdt: ({ sys, attached }, [at]) => sys.detachMemory(attached[Number(at)] ?? 0),
  poke: ({ sys, attached }, [at, offset, text = ""]) =>
    sys.writeMemory(attached[Number(at)] ?? 0, Number(offset), textOf(`${text}\0`)),
  peek: ({ sys, attached }, [at, offset]) =>
    new TextDecoder().decode(sys.readMemory(attached[Number(at)] ?? 0, Number(offset), 40)).split("\0")[0] ?? "",
  shmrm: ({ sys }, [id]) => sys.removeMemory(Number(id)),
  shmset: ({ sys }, [id, uid, mode = "0"]) =>
    sys.changeMemory(
      statFirst(() => sys.memoryStatus(Number(id)), Number(id)),
      owned(uid, mode),
    ),
  shmstat: ({ sys }, [id]) => {
    const { key, uid, mode, size, attached } = sys.memoryStatus(Number(id));
    return `key=${key} uid=${uid} mode=${mode.toString(8)} size=${size} attached=${attached}`;
  },
  // Semaphores
  semget: ({ sys }, [key, count, flags = "", mode = "0"]) =>
    sys.semaphores(Number(key), Number(count), flagsOf(flags, mode)),
  semop: ({ sys }, [id, operations = "", timeout]) =>
    sys.operateSemaphores(
      Number(id),
      operations.split(",").map((operation) => {
        const [number, change, flags = ""] = operation.split(":");
        const waits = { noWait: flags.includes("n"), undo: flags.includes("u") };
        return { number: Number(number), change: Number(change), ...waits };
      }),
      nanosOf(timeout),
    ),
  setval: ({ sys }, [id, number, value]) => sys.setSemaphore(Number(id), Number(number), Number(value)),
  semrm: ({ sys }, [id]) => sys.removeSemaphores(Number(id)),
  semset: ({ sys }, [id, uid, mode = "0"]) =>
    sys.changeSemaphores(
      statFirst(() => sys.semaphoreStatus(Number(id)), Number(id)),
      owned(uid, mode),
    ),
  semstat: ({ sys }, [id]) => {
    const { key, uid, mode, values, growing, zero } = sys.semaphoreStatus(Number(id));
    const each = values.map((value, at) => `${value}/${growing[at]}/${zero[at]}`).join(",");
    return `key=${key} uid=${uid} mode=${mode.toString(8)} values=${each}`;
  },
  // Message queues
  msgget: ({ sys }, [key, flags = "", mode = "0"]) => sys.messageQueue(Number(key), flagsOf(flags, mode)),
  msgrm: ({ sys }, [id]) => sys.removeMessageQueue(Number(id)),
  msgsnd: ({ sys }, [id, type, text = "", noWait]) =>
    sys.sendMessage(Number(id), { type: Number(type), bytes: textOf(text) }, { noWait: noWait !== undefined }),
  msgrcv: async ({ sys }, [id, length, type, flags = ""]) => {
    const options = { noWait: flags.includes("n"), noError: flags.includes("e"), except: flags.includes("x") };
    const message = await sys.receiveMessage(Number(id), Number(length), Number(type), options);
    return `${message.type} ${shown(message.bytes)}`;
  },
  msgset: ({ sys }, [id, bytesMax]) =>
    sys.changeMessageQueue(
      statFirst(() => sys.messageQueueStatus(Number(id)), Number(id)),
      { bytesMax: Number(bytesMax) },
    ),
  msgstat: ({ sys }, [id]) => {
    const { key, uid, mode, bytes, bytesMax, count } = sys.messageQueueStatus(Number(id));
    return `key=${key} uid=${uid} mode=${mode.toString(8)} bytes=${bytes} most=${bytesMax} count=${count}`;
  },
  // POSIX message queues
  mqopen: ({ sys, queues }, [name = "", flags = "", mode, most, bytes]) => {
    const access = flags.includes("b") ? "both" : flags.includes("w") ? "write" : "read";
    const attributes =
      most === undefined ? {} : { attributes: { messagesMax: Number(most), bytesMax: Number(bytes ?? 0) } };
    const options = { access, nonBlocking: flags.includes("n"), ...flagsOf(flags, mode ?? "0") } as const;
    return queues.push(sys.openQueue(name, { ...options, ...attributes })) - 1;
  },
  mqclose: ({ sys, queues }, [queue]) => sys.close(queues[Number(queue)] ?? -1),
  mqunlink: ({ sys }, [name = ""]) => sys.unlinkQueue(name),
  mqsend: ({ sys, queues }, [queue, text = "", priority, timeout]) =>
    sys.sendQueue(queues[Number(queue)] ?? -1, { priority: Number(priority), bytes: textOf(text) }, nanosOf(timeout)),
  mqrecv: async ({ sys, queues }, [queue, length, timeout]) => {
    const { priority, bytes } = await sys.receiveQueue(queues[Number(queue)] ?? -1, Number(length), nanosOf(timeout));
    return `${priority} ${shown(bytes)}`;
  },
  mqattr: ({ sys, queues }, [queue]) => {
    const { messagesMax, bytesMax, count, nonBlocking } = sys.queueAttributes(queues[Number(queue)] ?? -1);
    return `most=${messagesMax} bytes=${bytesMax} count=${count} nonblock=${Number(nonBlocking)}`;
  },
  // Processes
  exit: ({ sys }, [code]) => sys.exit(Number(code)),
  kill: ({ sys, pids }, [actor, signal]) => sys.kill(pids.get(Number(actor)) ?? nobody, Number(signal)),
  prio: ({ sys, pids }, [actor]) =>
    sys.priority("process", actor === undefined ? 0 : (pids.get(Number(actor)) ?? nobody)),
  nice: ({ sys, pids }, [actor, value]) =>
    sys.setPriority("process", actor === "self" ? 0 : (pids.get(Number(actor)) ?? nobody), Number(value)),
  note: ({ sys, signals }, [signal]) =>
    sys.onSignal(Number(signal), (_signal, info) => {
      signals.push(info);
    }),
  noted: ({ signals }) => {
    const info = signals.at(-1);
    if (info === undefined) return "none";
    const status = info.code.startsWith("CLD_") ? ` ${info.status}` : "";
    return `${info.signal} ${info.code} ${info.pid} ${info.uid}${status}`;
  },
  catch: ({ sys }, [signal]) => sys.onSignal(Number(signal), "ignore"),
  wait: async ({ sys }) => {
    const status = await sys.wait(-1, { noHang: true, untraced: true });
    return status === null ? 0 : `${status.pid} ${status.kind} ${status.value}`;
  },
  group: ({ sys, pids }, [actor]) =>
    sys.setGroup(0, actor === undefined ? 0 : sys.group(pids.get(Number(actor)) ?? nobody)),
  session: ({ sys }) => sys.setSession(),
  fsize: ({ sys }, [bytes]) => sys.setLimit("fsize", Number(bytes), -1),
  pid: ({ sys }) => `${sys.pid} ${sys.parent()}`,
  setuid: ({ sys }, [uid]) => sys.setCredentials({ groups: [], gid: Number(uid), uid: Number(uid) }),
  uid: ({ sys }) => sys.credentials().uid,
  unshare: ({ sys }, [letters = ""]) => sys.unshare(namespacesOf(letters)),
  setns: ({ sys, pids }, [actor, letters = ""]) => sys.enter(pids.get(Number(actor)) ?? nobody, namespacesOf(letters)),
  sethostname: ({ sys }, [name = ""]) => sys.setHostname(name),
  hostname: ({ sys }) => sys.hostname(),
  // Files and mounts
  cat: async ({ sys }, [path = ""]) => (await readFrom(sys, path, 256)).replaceAll("\n", "|"),
  copy: async ({ sys }, [path = "", mode = "0", owner]) => {
    await writeTo(sys, path, { create: true, truncate: true, mode: 0o755 }, program);
    sys.setAttributes(path, { uid: Number(owner), gid: Number(owner) });
    sys.setAttributes(path, { mode: Number.parseInt(mode, 8) });
  },
  ids: async ({ sys }, [path = ""]) => {
    const { read, write } = sys.pipe();
    try {
      const child = await sys.spawn(path, ["ids"], [], { fds: new Map([[1, write]]) });
      const text = new TextDecoder().decode(await sys.read(read, 512));
      await sys.wait(child);
      return text;
    } finally {
      sys.close(read);
      sys.close(write);
    }
  },
  nonewprivs: ({ sys }) => sys.noNewPrivileges(),
  write: ({ sys }, [path = "", text = ""]) => writeTo(sys, path, {}, text),
  append: ({ sys }, [path = "", text = ""]) => writeTo(sys, path, { create: true, append: true, mode: 0o644 }, text),
  truncate: ({ sys }, [path = "", size]) => sys.truncate(path, Number(size)),
  size: ({ sys }, [path = ""]) => sys.stat(path).size,
  mkdir: ({ sys }, [path = ""]) => sys.makeDirectory(path, 0o755),
  rmdir: ({ sys }, [path = ""]) => sys.removeDirectory(path),
  exists: ({ sys }, [path = ""]) => sys.access(path, {}),
  chdir: ({ sys }, [path = ""]) => sys.changeDirectory(path),
  chroot: ({ sys }, [path = ""]) => sys.changeRoot(path),
  pivot: ({ sys }, [to = "", old = ""]) => sys.pivotRoot(to, old),
  tmpfs: ({ sys }, [path = "", nosuid]) => sys.mount("tmpfs", "none", path, nosuid === undefined ? [] : ["nosuid"], ""),
  bind: ({ sys }, [from = "", to = "", recursive]) =>
    sys.bind(from, to, { recursive: recursive !== undefined, flags: [] }),
  umount: ({ sys }, [path = "", lazily]) => sys.unmount(path, { lazily: lazily !== undefined }),
  propagate: ({ sys }, [path = "", mode = "", recursive]) =>
    sys.setPropagation(path, `${recursive === undefined ? "" : "r"}${mode}` as SharingMode),
};

/** A file that the loader has something for. */
const program = "\x7fELF BusyBox v";

/** Tells its ids, as actors.c does when that is its name. */
async function tellIds(sys: Sys): Promise<number> {
  const status = await readFrom(sys, "/proc/self/status", 4096);
  const field = (name: string): string => new RegExp(`^${name}:\\t(.*)$`, "m").exec(status)?.[1] ?? "";
  const three = (name: string): string => field(name).split("\t").slice(0, 3).join(",");
  const isPrivileged = BigInt(`0x${field("CapEff")}`) & 1n;
  await sys.write(1, textOf(`uid=${three("Uid")} gid=${three("Gid")} privileged=${isPrivileged}`));
  return 0;
}

async function readFrom(sys: Sys, path: string, length: number): Promise<string> {
  const fd = await sys.open(path, { access: "read" });
  try {
    return new TextDecoder().decode(await sys.read(fd, length));
  } finally {
    sys.close(fd);
  }
}

async function writeTo(sys: Sys, path: string, options: Partial<OpenOptions>, text: string): Promise<void> {
  const fd = await sys.open(path, { ...options, access: "write" });
  try {
    await sys.write(fd, textOf(text));
  } finally {
    sys.close(fd);
  }
}

/** actors.c looks before it changes: what may not be read is not changed either. */
function statFirst(look: () => unknown, id: number): number {
  look();
  return id;
}

function owned(uid: string | undefined, mode: string): { uid: number; mode: number } {
  return { uid: Number(uid), mode: Number.parseInt(mode, 8) };
}
