/**
 * GET /containers/{id}/stats: what a container uses, once or every second until the client goes. Each sample tells of
 * the one before, too: clients show what happened in between (moby: daemon/stats).
 */
import { encodeText } from "../core/base/bytes.ts";
import type { Answer } from "./http.ts";
import { jsonReply, streamReply } from "./reply.ts";
import type { Call, Context } from "./route.ts";
import { started, untilAborted } from "./stream.ts";
import { nothingRead, type Sample, statsToWire } from "./wire/stats.ts";

const intervalMs = 1000;

export async function stats(context: Context, call: Call): Promise<Answer> {
  const ref = call.parameter("id");
  const record = await context.engine.containers.get(ref);
  if (call.query.boolean("stream", true)) {
    const lines = untilAborted(samples(context, record.id, call.request.signal), call.request.signal);
    return streamReply("application/json", await started(lines));
  }
  const isUp = (await context.engine.containers.usage(record.id)) !== null;
  const pause = isUp && !call.query.boolean("one-shot");
  const before = pause ? await sampleOf(context, record.id) : nothingRead;
  if (pause) await context.system.clock.sleep(intervalMs, call.request.signal);
  return jsonReply(200, statsToWire(record, await sampleOf(context, record.id), before));
}

/** One that does not run uses nothing; a container that is removed ends the stream. */
async function* samples(
  context: Context,
  id: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let before = nothingRead; !signal.aborted; ) {
    const record = await context.engine.containers.get(id);
    const now = await sampleOf(context, id);
    yield encodeText(`${JSON.stringify(statsToWire(record, now, before))}\n`);
    before = now;
    await context.system.clock.sleep(intervalMs, signal);
  }
}

async function sampleOf({ engine, system }: Context, id: string): Promise<Sample> {
  const usage = await engine.containers.usage(id);
  return { usage, at: usage === null ? null : system.clock.now() };
}
