/** /containers: a container's life. The streams of it (attach, logs) are in container-streams.ts. */
import type { WaitCondition, WaitResult } from "../core/engine/engine.ts";
import { attachRoute, logsRoute } from "./container-streams.ts";
import { listContainers } from "./container-list.ts";
import { invalid } from "./errors.ts";
import type { Answer } from "./http.ts";
import { readBody } from "./body.ts";
import { emptyReply, jsonReply, streamReply } from "./reply.ts";
import type { Call, Context, Route } from "./route.ts";
import { stats } from "./stats.ts";
import { started, untilAborted } from "./stream.ts";
import { encodeText } from "../core/base/bytes.ts";
import { changesToWire } from "./wire/changes.ts";
import { containerInspect } from "./wire/container-inspect.ts";
import {
  configFromWire,
  createSchema,
  createWarnings,
  hostConfigFromWire,
  updateFromWire,
  updateSchema,
} from "./wire/create-request.ts";

export function containerRoutes(context: Context): Route[] {
  const { engine, system } = context;
  const { containers } = engine;
  const id = (call: Call) => call.parameter("id");
  return [
    { method: "GET", path: "/containers/json", handler: (call) => listContainers(context, call) },
    { method: "POST", path: "/containers/create", handler: (call) => create(context, call) },
    {
      method: "GET",
      path: "/containers/:id/json",
      handler: async (call) => jsonReply(200, containerInspect(await containers.get(id(call)), system.storageDriver)),
    },
    done("POST", "/containers/:id/start", (call) => containers.start(id(call))),
    done("POST", "/containers/:id/stop", (call) => containers.stop(id(call), stopOptions(call))),
    done("POST", "/containers/:id/restart", (call) => containers.restart(id(call), stopOptions(call))),
    done("POST", "/containers/:id/kill", (call) => containers.kill(id(call), call.query.text("signal") || "SIGKILL")),
    done("POST", "/containers/:id/pause", (call) => containers.pause(id(call))),
    done("POST", "/containers/:id/unpause", (call) => containers.unpause(id(call))),
    { method: "POST", path: "/containers/:id/update", handler: (call) => update(context, call) },
    { method: "GET", path: "/containers/:id/stats", handler: (call) => stats(context, call) },
    { method: "GET", path: "/containers/:id/top", handler: (call) => top(context, call) },
    done("POST", "/containers/:id/rename", (call) => containers.rename(id(call), newName(call))),
    done("DELETE", "/containers/:id", (call) =>
      containers.remove(id(call), { force: call.query.boolean("force"), volumes: call.query.boolean("v") }),
    ),
    {
      method: "POST",
      path: "/containers/:id/resize",
      handler: async (call) => {
        const [rows, columns] = terminalSize(call);
        await containers.resize(id(call), rows, columns);
        return emptyReply(200);
      },
    },
    {
      method: "GET",
      path: "/containers/:id/changes",
      handler: async (call) => jsonReply(200, changesToWire(await containers.diff(id(call)))),
    },
    { method: "GET", path: "/containers/:id/export", handler: (call) => exported(context, call) },
    { method: "POST", path: "/containers/:id/wait", handler: (call) => wait(context, call) },
    attachRoute(context),
    logsRoute(context),
  ];
}

async function exported({ engine }: Context, call: Call): Promise<Answer> {
  const tar = await started(engine.containers.export(call.parameter("id")));
  return streamReply("application/octet-stream", untilAborted(tar, call.request.signal));
}

/** A route that does something and answers 204. */
function done(method: Route["method"], path: string, act: (call: Call) => Promise<void>): Route {
  return {
    method,
    path,
    handler: async (call) => {
      await act(call);
      return emptyReply(204);
    },
  };
}

async function create({ engine }: Context, call: Call): Promise<Answer> {
  const body = await readBody(call.request, createSchema);
  const { id, warnings } = await engine.containers.create({
    name: call.query.text("name").replace(/^\//, "") || null,
    platform: call.query.text("platform") || null,
    config: configFromWire(body),
    hostConfig: hostConfigFromWire(body.HostConfig),
  });
  return jsonReply(201, { Id: id, Warnings: [...createWarnings(body), ...warnings] });
}

async function update({ engine }: Context, call: Call): Promise<Answer> {
  await engine.containers.update(call.parameter("id"), updateFromWire(await readBody(call.request, updateSchema)));
  return jsonReply(200, { Warnings: [] });
}

async function top({ engine }: Context, call: Call): Promise<Answer> {
  const { titles, rows } = await engine.containers.top(call.parameter("id"), call.query.text("ps_args"));
  return jsonReply(200, { Titles: titles, Processes: rows });
}

function stopOptions(call: Call): { timeoutSeconds: number | null; signal: string | null } {
  return { timeoutSeconds: call.query.integer("t"), signal: call.query.text("signal") || null };
}

function newName(call: Call): string {
  const name = call.query.text("name").replace(/^\//, "");
  if (name === "") throw invalid("Neither old nor new names may be empty");
  return name;
}

/** [rows, columns] of a resize request. Throws TsboxError "invalid". */
export function terminalSize(call: Call): [rows: number, columns: number] {
  const rows = call.query.integer("h");
  const columns = call.query.integer("w");
  if (rows === null || columns === null) throw invalid("resize needs h (rows) and w (columns)");
  if (rows < 0 || rows > 65535 || columns < 0 || columns > 65535)
    throw invalid(`invalid terminal size ${rows}x${columns}: expected 0 to 65535`);
  return [rows, columns];
}

/** The headers tell that the wait is registered; the body comes when the container has ended. */
async function wait({ engine }: Context, call: Call): Promise<Answer> {
  const { exit } = await engine.containers.wait(call.parameter("id"), waitCondition(call));
  return streamReply("application/json", untilAborted(exitLine(exit), call.request.signal));
}

async function* exitLine(exit: Promise<WaitResult>): AsyncGenerator<Uint8Array, void, undefined> {
  const { code, error } = await exit;
  const body = { StatusCode: code, Error: error === null ? null : { Message: error } };
  yield encodeText(`${JSON.stringify(body)}\n`);
}

function waitCondition(call: Call): WaitCondition {
  const condition = call.query.text("condition");
  switch (condition) {
    case "":
      return "not-running";
    case "not-running":
    case "next-exit":
    case "removed":
      return condition;
    default:
      throw invalid(`invalid condition: ${JSON.stringify(condition)}`);
  }
}
