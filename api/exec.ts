/** /exec: sessions inside running containers. */
import { encodeText } from "../core/base/bytes.ts";
import { messageOf, TsboxError } from "../core/base/error.ts";
import type { ByteStream } from "../core/base/bytes.ts";
import { readBody } from "./body.ts";
import { terminalSize } from "./containers.ts";
import { parseDetachKeys } from "./detach.ts";
import type { Answer } from "./http.ts";
import { emptyReply, hijackReply, jsonReply } from "./reply.ts";
import type { Call, Context, Route } from "./route.ts";
import { wantsUpgrade } from "./route.ts";
import type { SessionOptions } from "./session.ts";
import { runSession } from "./session.ts";
import { frame } from "./stream.ts";
import { streamContentType } from "./version.ts";
import { execCreateSchema, execFromWire, execInspect, execStartSchema } from "./wire/exec.ts";

export function execRoutes(context: Context): Route[] {
  const { execs } = context.engine;
  const detachKeys = new Map<string, Uint8Array>();
  return [
    {
      method: "POST",
      path: "/containers/:id/exec",
      handler: async (call) => {
        const body = await readBody(call.request, execCreateSchema);
        const keys = parseDetachKeys(body.DetachKeys);
        const id = await execs.create(call.parameter("id"), execFromWire(body));
        if (body.DetachKeys !== "") detachKeys.set(id, keys);
        return jsonReply(201, { Id: id });
      },
    },
    {
      method: "POST",
      path: "/exec/:id/start",
      handler: (call) => start(context, call, takeKeys(detachKeys, call.parameter("id"))),
    },
    {
      method: "GET",
      path: "/exec/:id/json",
      handler: async (call) => jsonReply(200, execInspect(await execs.get(call.parameter("id")))),
    },
    {
      method: "POST",
      path: "/exec/:id/resize",
      handler: async (call) => {
        const [rows, columns] = terminalSize(call);
        await execs.resize(call.parameter("id"), rows, columns);
        return emptyReply(200);
      },
    },
  ];
}

/** Keys are kept from create until start: that is where the session that watches for them begins. */
function takeKeys(kept: Map<string, Uint8Array>, id: string): Uint8Array {
  const keys = kept.get(id) ?? parseDetachKeys("");
  kept.delete(id);
  return keys;
}

async function start({ engine }: Context, call: Call, detachKeys: Uint8Array): Promise<Answer> {
  const id = call.parameter("id");
  const { request, running, exit, failedCode } = await engine.execs.get(id);
  if (running || exit !== null || failedCode !== null)
    throw new TsboxError("conflict", `Error: Exec command ${id} is already running`);
  const body = await readBody(call.request, execStartSchema);
  const [rows, columns] = body.ConsoleSize;
  const size = rows > 0 ? body.ConsoleSize : request.consoleSize;
  const options = { detach: body.Detach, rows: size[0], columns: rows > 0 ? columns : size[1] };
  if (body.Detach) {
    await engine.execs.start(id, options);
    return emptyReply(200);
  }
  const session: SessionOptions = {
    tty: request.tty,
    stdin: request.attachStdin,
    stdout: request.attachStdout,
    stderr: request.attachStderr,
    detachKeys,
    signal: call.request.signal,
  };
  const begin = () => engine.execs.start(id, options);
  return hijackReply(wantsUpgrade(call.request), streamContentType(call.version, !request.tty), (input) =>
    startAndRun(begin, input, session),
  );
}

/** The connection is the client's before the program starts, so a failed start is told as output. */
async function* startAndRun(
  begin: () => ReturnType<Context["engine"]["execs"]["start"]>,
  input: ByteStream,
  session: SessionOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    const attachment = await begin();
    if (attachment !== null) yield* runSession(attachment, input, session);
  } catch (thrown) {
    const text = encodeText(`${messageOf(thrown)}\r\n`);
    yield session.tty ? text : frame("stdout", text);
  }
}
