/** What Docker's API lacks: the plan of a container, and which engine this is. */
import { explainPlan } from "../core/runtime/explain.ts";
import { jsonReply } from "./reply.ts";
import type { Context, Route } from "./route.ts";

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
      path: "/tsbox/v1/info",
      handler: async () => jsonReply(200, { version: system.version, runtime: system.runtime, traits: engine.traits }),
    },
  ];
}
