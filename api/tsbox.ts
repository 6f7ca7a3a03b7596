/** What Docker's API lacks: the plan of a container, an image's digests, the check of the store, which engine this is. */
import { encodeText } from "../core/base/bytes.ts";
import type { Finding } from "../core/engine/image-check.ts";
import { explanationLines } from "../core/image/explain.ts";
import { explainPlan } from "../core/runtime/explain.ts";
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
  ];
}

async function* findingLines(findings: AsyncIterable<Finding>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const finding of findings) yield encodeText(`${JSON.stringify(finding)}\n`);
}
