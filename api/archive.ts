/** /containers/{id}/archive: what `docker cp` asks for. A path's description is a header. */
import { base64 } from "../core/base/base64.ts";
import { encodeText } from "../core/base/bytes.ts";
import type { PathStat } from "../core/engine/engine.ts";
import { invalid } from "./errors.ts";
import { emptyReply, streamReply } from "./reply.ts";
import type { Call, Context, Route } from "./route.ts";
import { started, untilAborted } from "./stream.ts";
import { pathStatToWire } from "./wire/path-stat.ts";

export function archiveRoutes({ engine }: Context): Route[] {
  const { containers } = engine;
  const path = "/containers/:id/archive";
  return [
    {
      method: "HEAD",
      path,
      handler: async (call) => {
        const stat = await containers.statPath(call.parameter("id"), pathOf(call));
        return { ...emptyReply(200), headers: statHeader(stat) };
      },
    },
    {
      method: "GET",
      path,
      handler: async (call) => {
        const { stat, tar } = await containers.readArchive(call.parameter("id"), pathOf(call));
        const reply = streamReply("application/x-tar", untilAborted(await started(tar), call.request.signal));
        return { ...reply, headers: { ...reply.headers, ...statHeader(stat) } };
      },
    },
    {
      method: "PUT",
      path,
      handler: async (call) => {
        const options = {
          keepsKinds: call.query.boolean("noOverwriteDirNonDir"),
          asUser: call.query.boolean("copyUIDGID"),
        };
        await containers.writeArchive(call.parameter("id"), pathOf(call), call.request.body, options);
        return emptyReply(200);
      },
    },
  ];
}

function pathOf(call: Call): string {
  const path = call.query.text("path");
  if (path === "") throw invalid("missing parameter in request: path");
  if (path.includes("\0")) throw invalid(`invalid path ${JSON.stringify(path)}: it contains a NUL character`);
  return path;
}

function statHeader(stat: PathStat): Readonly<Record<string, string>> {
  return { "x-docker-container-path-stat": base64(encodeText(JSON.stringify(pathStatToWire(stat)))) };
}
