/** What Docker's API lacks: the plan of a container, an image's digests, the check of the store, which engine this is. */
import { encodeText } from "../core/base/bytes.ts";
import { TsboxError } from "../core/base/error.ts";
import { formatTime } from "../core/base/time.ts";
import type { Finding } from "../core/engine/image-check.ts";
import { explanationLines } from "../core/image/explain.ts";
import { explainPlan } from "../core/runtime/explain.ts";
import { invalid } from "./errors.ts";
import { jsonReply, streamReply } from "./reply.ts";
import type { Context, Route } from "./route.ts";
import { untilAborted } from "./stream.ts";

export function tsboxRoutes({ engine, system }: Context): Route[] {
  return [
    {
      method: "GET",
      path: "/tsbox/v1/containers/:id/plan",
      handler: async (call) => {
        const plan = await engine.containers.plan(call.parameter("id"));
        return jsonReply(200, { plan, explanation: explainPlan(plan) });
      },
    },
    {
      method: "GET",
      path: "/tsbox/v1/images/:name{.+}/explain",
      handler: async (call) => {
        const explanation = await engine.images.explain(call.parameter("name"));
        return jsonReply(200, { explanation, lines: explanationLines(explanation) });
      },
    },
    {
      method: "GET",
      path: "/tsbox/v1/check",
      handler: async ({ request }) =>
        streamReply("application/json", untilAborted(findingLines(engine.images.check()), request.signal)),
    },
    {
      method: "GET",
      path: "/tsbox/v1/info",
      handler: async () => jsonReply(200, { version: system.version, runtime: system.runtime, traits: engine.traits }),
    },
    {
      method: "POST",
      path: "/tsbox/v1/sim/advance",
      handler: async ({ query, request }) => {
        await advance(system, query.integer("ms"), request.signal);
        return jsonReply(200, { now: formatTime(system.clock.now()) });
      },
    },
  ];
}

const yearsMax = 100;
const yearMs = 366 * 24 * 3600 * 1000;

/** Throws TsboxError: "invalid" for no duration, "unsupported" on a real machine. */
async function advance(system: Context["system"], ms: number | null, signal: AbortSignal): Promise<void> {
  if (system.advance === null)
    throw new TsboxError("unsupported", "time goes by itself on a real machine: only a simulated one can be advanced");
  if (ms === null || ms <= 0 || ms > yearsMax * yearMs)
    throw invalid(`ms: expected milliseconds, more than none and at most ${yearsMax} years of them`);
  await system.advance(ms, signal);
}

async function* findingLines(findings: AsyncIterable<Finding>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const finding of findings) yield encodeText(`${JSON.stringify(finding)}\n`);
}
