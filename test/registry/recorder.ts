/**
 * Stands between a client and a registry, passes everything on and notes what was asked and answered:
 *
 *     node test/registry/recorder.ts PORT REGISTRY-HOST:PORT FILE
 *
 * A program of its own, so that it can run in a daemon's network. FILE gets a line of JSON an exchange.
 */
import { appendFileSync } from "node:fs";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { keptHeaders, masked } from "./sessions.ts";

const [port = "", target = "", file = ""] = process.argv.slice(2);
const [host = "", targetPort = ""] = target.split(":");

function passOn(incoming: IncomingMessage, outgoing: ServerResponse): void {
  const { method = "", url = "", headers } = incoming;
  const ahead = request({ host, port: targetPort, method, path: url, headers }, (answer) => {
    const status = answer.statusCode ?? 0;
    const base = `http://${headers.host ?? ""}`;
    const noted = keptHeaders(answer.headers as Record<string, string>, base);
    appendFileSync(file, `${JSON.stringify({ request: `${method} ${masked(url, base)}`, status, headers: noted })}\n`);
    outgoing.writeHead(status, answer.headers);
    answer.pipe(outgoing);
  });
  ahead.on("error", () => outgoing.destroy());
  incoming.pipe(ahead);
}

createServer(passOn).listen(Number(port), "127.0.0.1", () => process.stdout.write("ready\n"));
