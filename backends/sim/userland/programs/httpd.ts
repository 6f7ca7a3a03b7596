/** httpd, as busybox has it: serves the files beneath a directory over HTTP. One process a connection. */
import { encodeText } from "../../../../core/base/bytes.ts";
import { Errno } from "../../../../core/base/errno.ts";
import { SIGCHLD } from "../../kernel/signals.ts";
import type { Fd, Program, Sys } from "../../kernel/sys.ts";
import { applet, Failure, linesOf, reasonOf } from "../applet.ts";
import { parseOptions } from "../options.ts";
import { inet } from "./nc.ts";

const chunkBytes = 65_536;
const linesMax = 100;
const types: Readonly<Record<string, string>> = {
  css: "text/css",
  gif: "image/gif",
  htm: "text/html",
  html: "text/html",
  jpg: "image/jpeg",
  js: "application/javascript",
  json: "application/json",
  png: "image/png",
  svg: "image/svg+xml",
  txt: "text/plain",
};
const reasons = { 200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 501: "Not Implemented" } as const;

const httpd = applet(async (context) => {
  const { sys } = context;
  const options = parseOptions(context.args, { flags: "fiv", valued: "phcur" });
  const place = options.value("p") ?? "80";
  const port = /^(?:.*:)?(\d+)$/.exec(place)?.[1];
  if (port === undefined) throw new Failure(`bad address '${place}'`);
  const directory = options.value("h") ?? ".";
  try {
    sys.changeDirectory(directory);
  } catch (thrown) {
    throw new Failure(`can't change directory to '${directory}': ${reasonOf(thrown)}`);
  }
  const listener = sys.socket("stream");
  sys.setSocketOptions(listener, { reuseAddress: true });
  try {
    sys.bindSocket(listener, inet(0, Number(port)));
  } catch (thrown) {
    throw new Failure(`bind: ${reasonOf(thrown)}`);
  }
  sys.listen(listener, 9);
  if (options.has("f")) return serve(sys, listener);
  sys.fork((child) => {
    child.setSession();
    return serve(child, listener);
  });
  return 0;
});

async function serve(sys: Sys, listener: Fd): Promise<number> {
  // Nobody waits for those who answer.
  sys.onSignal(SIGCHLD, "ignore");
  for (;;) {
    const { fd } = await sys.accept(listener);
    sys.fork(async (child) => {
      child.close(listener);
      await answer(child, fd);
      // Whoever asked may still be sending: what comes unread would reset the connection.
      child.shutdown(fd, "write");
      while ((await child.read(fd, chunkBytes)).length > 0);
      return 0;
    });
    sys.close(fd);
  }
}

async function answer(sys: Sys, fd: Fd): Promise<void> {
  const [method = "", target = ""] = await requestLine(sys, fd);
  if (method !== "GET" && method !== "HEAD") return refuse(sys, fd, method === "" ? 400 : 501);
  const path = pathOf(target);
  if (path === null) return refuse(sys, fd, 400);
  try {
    await sendFile(sys, fd, sys.stat(path).kind === "directory" ? `${path}/index.html` : path, method === "GET");
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    if (thrown.errno !== "EPIPE" && thrown.errno !== "ECONNRESET")
      await refuse(sys, fd, thrown.errno === "EACCES" ? 403 : 404);
  }
}

async function requestLine(sys: Sys, fd: Fd): Promise<string[]> {
  let first: string[] | null = null;
  let count = 0;
  for await (const { bytes } of linesOf(sys, fd)) {
    const line = new TextDecoder().decode(bytes).trim();
    first ??= line.split(" ");
    if (line === "" || ++count > linesMax) break;
  }
  return first ?? [];
}

/** Beneath the directory that is served: nothing climbs out. null for what is no path. */
function pathOf(target: string): string | null {
  const [raw = ""] = target.split(/[?#]/);
  if (!raw.startsWith("/")) return null;
  try {
    const names = decodeURIComponent(raw).split("/");
    return names.includes("..") || raw.includes("%00") ? null : `.${names.join("/")}`.replace(/\/+$/, "") || ".";
  } catch {
    return null;
  }
}

async function sendFile(sys: Sys, fd: Fd, path: string, withBody: boolean): Promise<void> {
  const file = await sys.open(path, { access: "read" });
  const { size } = sys.statFd(file);
  const type = types[path.split(".").pop() ?? ""] ?? "application/octet-stream";
  await sys.write(fd, encodeText(head(200, type, size)));
  while (withBody) {
    const chunk = await sys.read(file, chunkBytes);
    if (chunk.length === 0) break;
    await sys.write(fd, chunk);
  }
  sys.close(file);
}

async function refuse(sys: Sys, fd: Fd, status: keyof typeof reasons): Promise<void> {
  const title = `${status} ${reasons[status]}`;
  const page = `<HTML><HEAD><TITLE>${title}</TITLE></HEAD>\n<BODY><H1>${title}</H1>\n</BODY></HTML>\n`;
  await sys.write(fd, encodeText(head(status, "text/html", page.length) + page));
}

function head(status: keyof typeof reasons, type: string, size: number): string {
  const lines = [`HTTP/1.1 ${status} ${reasons[status]}`, `Content-type: ${type}`, "Connection: close"];
  return `${[...lines, `Content-length: ${size}`].join("\r\n")}\r\n\r\n`;
}

export const programs: Readonly<Record<string, Program>> = { httpd };
