/** /_ping, /version, /info, /system/df: who answers, on what machine, with which abilities. */
import type { Engine } from "../core/engine/engine.ts";
import type { Reply } from "./http.ts";
import { diskUsage } from "./disk-usage.ts";
import { emptyReply, jsonReply, textReply } from "./reply.ts";
import type { Context, Route } from "./route.ts";
import { engineInfo, versionInfo } from "./wire/system.ts";

const pingHeaders = {
  "builder-version": "1",
  swarm: "inactive",
  "cache-control": "no-cache, no-store, must-revalidate",
  pragma: "no-cache",
};

export function systemRoutes({ engine, system }: Context): Route[] {
  return [
    { method: "HEAD", path: "/_ping", handler: async () => ping(emptyReply(200)) },
    { method: "GET", path: "/_ping", handler: async () => ping(textReply("OK")) },
    { method: "GET", path: "/version", handler: async () => jsonReply(200, versionInfo(engine.traits, system)) },
    {
      method: "GET",
      path: "/info",
      handler: async () =>
        jsonReply(200, engineInfo(engine.traits, system, await countsOf(engine), engine.registry.config)),
    },
    {
      method: "GET",
      path: "/system/df",
      handler: async (call) => jsonReply(200, await diskUsage({ engine, system }, call)),
    },
  ];
}

function ping(reply: Reply): Reply {
  return { ...reply, headers: { ...reply.headers, ...pingHeaders } };
}

async function countsOf({ containers, images }: Engine) {
  const records = await containers.list();
  const running = records.filter(({ state }) => state === "running" || state === "restarting").length;
  const paused = records.filter(({ state }) => state === "paused").length;
  return { all: records.length, running, paused, images: (await images.list()).length };
}
