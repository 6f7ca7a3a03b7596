/** Attach and logs: what a container writes, live or as it was logged. */
import type { ByteStream } from "../core/base/bytes.ts";
import { concat, encodeText } from "../core/base/bytes.ts";
import type { LogEntry } from "../core/engine/engine.ts";
import { parseDetachKeys } from "./detach.ts";
import { invalid } from "./errors.ts";
import type { Answer } from "./http.ts";
import { hijackReply, streamReply } from "./reply.ts";
import type { Call, Context, Route } from "./route.ts";
import { wantsUpgrade } from "./route.ts";
import { runSession } from "./session.ts";
import { frame, untilAborted } from "./stream.ts";
import { streamContentType } from "./version.ts";

export function attachRoute(context: Context): Route {
  return { method: "POST", path: "/containers/:id/attach", handler: (call) => attach(context, call) };
}

export function logsRoute(context: Context): Route {
  return { method: "GET", path: "/containers/:id/logs", handler: (call) => logs(context, call) };
}

async function attach({ engine }: Context, call: Call): Promise<Answer> {
  const { query, request } = call;
  const id = call.parameter("id");
  const detachKeys = parseDetachKeys(query.text("detachKeys"));
  const { config } = await engine.containers.get(id);
  const contentType = streamContentType(call.version, !config.tty);
  const [stdout, stderr] = [query.boolean("stdout"), query.boolean("stderr")];
  if (!query.boolean("stream")) return replay({ engine }, call, config.tty, contentType);
  const stdin = query.boolean("stdin") && config.openStdin;
  const options = { stdin, output: stdout || stderr, logs: query.boolean("logs") };
  const attachment = await engine.containers.attach(id, options);
  const session = { tty: config.tty, stdin, stdout, stderr, detachKeys, signal: request.signal };
  return hijackReply(wantsUpgrade(request), contentType, (input) => runSession(attachment, input, session));
}

/** attach?stream=0: what was logged so far, if asked, and the end. */
async function replay(
  { engine }: Pick<Context, "engine">,
  call: Call,
  tty: boolean,
  contentType: string,
): Promise<Answer> {
  const { query } = call;
  const [stdout, stderr] = [query.boolean("stdout"), query.boolean("stderr")];
  const asked = query.boolean("logs") && (stdout || stderr);
  const options = { stdout, stderr, follow: false, since: null, until: null, tail: asked ? null : 0 };
  const entries = await engine.containers.logs(call.parameter("id"), options);
  return hijackReply(wantsUpgrade(call.request), contentType, () => encodeLog(entries, { tty, timestamps: false }));
}

async function logs({ engine }: Context, call: Call): Promise<Answer> {
  const { query, request } = call;
  const id = call.parameter("id");
  const [stdout, stderr] = [query.boolean("stdout"), query.boolean("stderr")];
  const { config } = await engine.containers.get(id);
  if (!stdout && !stderr) throw invalid("Bad parameters: you must choose at least one stream");
  const entries = await engine.containers.logs(id, {
    stdout,
    stderr,
    follow: query.boolean("follow"),
    since: query.time("since"),
    until: query.time("until"),
    tail: tailOf(query.text("tail")),
  });
  const format = { tty: config.tty, timestamps: query.boolean("timestamps") };
  return streamReply(
    streamContentType(call.version, !config.tty),
    encodeLog(untilAborted(entries, request.signal), format),
  );
}

/** A count of lines; null, all of them, for anything that is not a count, as dockerd reads it. */
function tailOf(text: string): number | null {
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}

async function* encodeLog(
  entries: AsyncIterable<LogEntry>,
  format: { tty: boolean; timestamps: boolean },
): ByteStream & AsyncGenerator<Uint8Array, void, undefined> {
  for await (const entry of entries) {
    const bytes = format.timestamps ? concat([encodeText(`${entry.time} `), entry.bytes]) : entry.bytes;
    yield format.tty ? bytes : frame(entry.stream, bytes);
  }
}
