/** Exec sessions on the wire: what create and start take, what inspect gives. */
import * as v from "valibot";
import type { ExecRequest, ExecState } from "../../core/engine/engine.ts";
import { invalid } from "../errors.ts";
import { size, text, texts, truth, words } from "./schema.ts";

export const execCreateSchema = v.object({
  User: text,
  Privileged: truth,
  Tty: truth,
  ConsoleSize: size,
  AttachStdin: truth,
  AttachStdout: truth,
  AttachStderr: truth,
  DetachKeys: text,
  Env: texts,
  WorkingDir: text,
  Cmd: words,
});

export const execStartSchema = v.object({ Detach: truth, Tty: truth, ConsoleSize: size });

/** Throws TsboxError "invalid" when there is no command. */
export function execFromWire(body: v.InferOutput<typeof execCreateSchema>): ExecRequest {
  const argv = body.Cmd ?? [];
  if (argv.length === 0) throw invalid("No exec command specified");
  return {
    argv,
    env: body.Env,
    user: body.User,
    workingDir: body.WorkingDir,
    tty: body.Tty,
    privileged: body.Privileged,
    attachStdin: body.AttachStdin,
    attachStdout: body.AttachStdout,
    attachStderr: body.AttachStderr,
    consoleSize: body.ConsoleSize,
  };
}

export function execInspect(state: ExecState) {
  const [entrypoint = "", ...args] = state.request.argv;
  return {
    ID: state.id,
    Running: state.running,
    ExitCode: state.running ? null : (state.failedCode ?? state.exit?.code ?? null),
    ProcessConfig: {
      tty: state.request.tty,
      entrypoint,
      arguments: args,
      privileged: state.request.privileged,
      ...(state.request.user === "" ? {} : { user: state.request.user }),
    },
    OpenStdin: state.request.attachStdin,
    OpenStderr: state.request.attachStderr,
    OpenStdout: state.request.attachStdout,
    CanRemove: false,
    ContainerID: state.container,
    DetachKeys: "",
    Pid: state.pid,
  };
}

export type ExecInspect = ReturnType<typeof execInspect>;
