/**
 * Exec sessions: more processes in a container that runs. They exist in memory only, a while longer
 * than their process, so that its exit code can be asked for; the next engine knows nothing of them.
 */
import type { ContainerId, ExecId, HostPath } from "../base/brand.ts";
import { hex } from "../base/bytes.ts";
import { TsboxError } from "../base/error.ts";
import { allow } from "../container/state.ts";
import { checkPlan } from "../runtime/check.ts";
import { compileExec } from "../runtime/compile-exec.ts";
import { PlanError } from "../runtime/plan-error.ts";
import type { Plan } from "../runtime/plan.ts";
import { type Context, emit } from "./context.ts";
import type { ExecRequest, Execs, ExecState } from "./engine.ts";
import { exitCodeOf, startFailure } from "./failure.ts";
import type { Live } from "./live.ts";
import type { Attachment, Task, TaskExit } from "./machine.ts";
import { userOf } from "./plan-for.ts";

/** So many ended sessions are remembered. */
const remembered = 256;

interface Session {
  state: ExecState;
  readonly live: Live;
  task: Task | null;
  started: boolean;
}

export function execsOf(context: Context): Execs {
  const sessions = new Sessions();
  return {
    create: async (ref, request) => create(context, sessions, context.containers.resolve(ref), request),
    start: (id, options) => start(context, sessions.get(id), options),
    get: async (id) => sessions.get(id).state,
    resize: (id, rows, columns) => resize(sessions.get(id), rows, columns),
  };
}

class Sessions {
  readonly #byId = new Map<string, Session>();

  add(session: Session): void {
    this.#byId.set(session.state.id, session);
    for (const [id, { state }] of this.#byId) {
      if (this.#byId.size <= remembered) return;
      if (!state.running) this.#byId.delete(id);
    }
  }

  /** By full id or an unambiguous beginning. */
  get(ref: string): Session {
    const exact = this.#byId.get(ref);
    if (exact !== undefined) return exact;
    const found = ref === "" ? [] : [...this.#byId.values()].filter(({ state }) => state.id.startsWith(ref));
    const [session] = found;
    if (session === undefined || found.length > 1) throw new TsboxError("not-found", `No such exec instance: ${ref}`);
    return session;
  }
}

async function create(context: Context, sessions: Sessions, live: Live, request: ExecRequest): Promise<ExecId> {
  allow("exec", live.record);
  if (request.argv.length === 0) throw new TsboxError("invalid", "No exec command specified");
  const id = hex(context.ports.random.bytes(32)) as ExecId;
  const container = live.record.id;
  const state: ExecState = { id, container, request, running: false, pid: 0, exit: null, failedCode: null };
  sessions.add({ state, live, task: null, started: false });
  emit(context, live, `exec_create: ${request.argv.join(" ")}`, { execID: id });
  return id;
}

async function start(
  context: Context,
  session: Session,
  { detach, rows, columns }: { detach: boolean; rows: number; columns: number },
): Promise<Attachment | null> {
  const { live } = session;
  const { id, request } = session.state;
  refuseSecond(session);
  allow("exec", live.record);
  session.started = true;
  try {
    const plan = await planFor(context, session, [rows, columns]);
    checkPlan(plan);
    const attachment = await perform(context, session, plan, detach);
    emit(context, live, `exec_start: ${request.argv.join(" ")}`, { execID: id });
    return attachment;
  } catch (error) {
    throw failed(session, error);
  }
}

function refuseSecond({ started, state }: Session): void {
  if (!started) return;
  throw new TsboxError(
    "conflict",
    `exec command ${state.id} ${state.running ? "is already running" : "has already run"}`,
  );
}

function failed(session: Session, error: unknown): unknown {
  const { container, request } = session.state;
  const what = `cannot execute in container ${session.live.record.name}`;
  const failure = startFailure(what, error, null, request.argv[0] ?? "");
  session.state = { ...session.state, running: false, failedCode: exitCodeOf(failure) };
  const gone = error instanceof PlanError && error.failure.errno === "ESRCH";
  return gone ? new TsboxError("conflict", `container ${container} is not running`) : failure;
}

async function planFor(context: Context, { live, state }: Session, size: [number, number]): Promise<Plan> {
  const { record } = live;
  const { argv, env, user, workingDir, tty, privileged, consoleSize } = state.request;
  const [program, ...args] = argv;
  if (record.plan === null || program === undefined)
    throw new TsboxError("conflict", `container ${record.id} is not running`);
  const [rows, columns] = size[0] > 0 ? size : consoleSize;
  return compileExec({
    argv: [program, ...args],
    env: [...record.config.env, ...env],
    cwd: workingDir === "" ? record.config.workingDir : workingDir,
    user: await userOf(context, record, user === "" ? record.config.user : user, record.hostConfig.groupAdd),
    terminal: tty ? { rows, columns } : null,
    privileged,
    container: record.id,
    plan: record.plan,
    traits: context.machine.traits,
  });
}

async function perform(context: Context, session: Session, plan: Plan, detach: boolean): Promise<Attachment | null> {
  const { id, container, request } = session.state;
  const exit = exitFile(context, container, id);
  const output = request.attachStdout || request.attachStderr;
  let attachment: Attachment | null = null;
  const beforeRelease = async (task: Task): Promise<void> => {
    if (!detach) attachment ??= await task.attach({ stdin: request.attachStdin, output });
  };
  const task = await context.machine.perform({
    key: { container, exec: id },
    plan,
    stdio: { terminal: request.tty, stdin: request.attachStdin && !detach, stdinOnce: !request.tty, log: null, exit },
    ...(detach ? { unattended: true } : { beforeRelease }),
  });
  session.task = task;
  await beforeRelease(task);
  await task.release();
  session.state = { ...session.state, running: true, pid: task.pid };
  const ended = task.exited.then((end) => finish(context, session, end));
  context.background(`the end of exec session ${id}`, ended);
  return attachment;
}

/** It means nothing to the next engine, so it is no part of the data root; the machine removes it. */
function exitFile(context: Context, container: ContainerId, id: ExecId): HostPath {
  return `${context.machine.disk.runRoot}/${container.slice(0, 12)}/${id.slice(0, 12)}.exit` as HostPath;
}

function finish(context: Context, session: Session, end: TaskExit | "lost"): void {
  const { id } = session.state;
  const exit = end === "lost" ? { code: 137, signal: 9, at: context.ports.clock.now() } : end;
  session.task = null;
  session.state = { ...session.state, running: false, exit };
  emit(context, session.live, "exec_die", { execID: id, exitCode: String(exit.code) });
}

async function resize({ task, state }: Session, rows: number, columns: number): Promise<void> {
  if (task === null) throw new TsboxError("conflict", `exec command ${state.id} is not running`);
  await task.resize(rows, columns);
}
