/** wget, as busybox has it: HTTP/1.0 and 1.1 over TCP; no TLS. */
import { concat, decodeBytes, encodeText } from "../../../../core/base/bytes.ts";
import { formatIpv4 } from "../../net/address.ts";
import type { Fd, Program, Sys } from "../../kernel/sys.ts";
import { applet, type Context, Failure, reasonOf } from "../applet.ts";
import { type Options, parseOptions } from "../options.ts";
import { resolveHost } from "../resolve.ts";

interface Target {
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

interface Response {
  readonly status: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: AsyncGenerator<Uint8Array, void, undefined>;
}

const chunkBytes = 65_536;
const headBytesMax = 65_536;
const redirectsMax = 5;
const long = { "output-document": "O", quiet: "q", spider: "s", header: "H", "post-data": "D", timeout: "T" };

const wget = applet(async (context) => {
  const grammar = { flags: "qcSs", valued: "OUPTHD", long, operandsMin: 1 } as const;
  const options = parseOptions(context.args, grammar);
  for (const url of options.operands) await download(context, targetOf(url), options, redirectsMax);
  return context.code;
});

function targetOf(url: string): Target {
  const [, scheme = "http", host = "", port = "80", path = "/"] =
    /^(?:(\w+):\/\/)?([^/:?#]+)(?::(\d+))?([/?][^#]*)?(?:#.*)?$/.exec(url) ?? [];
  if (host === "") throw new Failure(`bad address '${url}'`);
  if (scheme !== "http") throw new Failure(`not an http or ftp url: ${url}`);
  return { host, port: Number(port), path: path.startsWith("/") ? path : `/${path}` };
}

async function download(context: Context, target: Target, options: Options, redirects: number): Promise<void> {
  const { sys } = context;
  const fd = await connect(context, target, options.has("q"));
  try {
    await sys.write(fd, encodeText(request(target, options)));
    const response = await readResponse(sys, fd);
    if (options.has("S")) {
      await say(context, `  HTTP/1.1 ${response.status}`);
      for (const [name, value] of response.headers) await say(context, `  ${name}: ${value}`);
    }
    const location = response.headers.get("location");
    if (/^30[12378]$/.test(response.status.slice(0, 3)) && location !== undefined) {
      if (redirects === 0) throw new Failure("too many redirections");
      return await download(context, redirected(target, location), options, redirects - 1);
    }
    if (!response.status.startsWith("2")) throw new Failure(`server returned error: HTTP/1.1 ${response.status}`);
    if (!options.has("s")) await save(context, response, target, options);
  } finally {
    sys.close(fd);
  }
}

async function connect(context: Context, { host, port }: Target, quiet: boolean): Promise<Fd> {
  const { sys } = context;
  const address = await resolveHost(sys, host);
  if (address === null) throw new Failure(`bad address '${host}'`);
  if (!quiet)
    await say(context, `Connecting to ${host}${port === 80 ? "" : `:${port}`} (${formatIpv4(address)}:${port})`);
  const fd = sys.socket("stream");
  try {
    await sys.connect(fd, { family: "inet", address, port });
  } catch (thrown) {
    throw new Failure(`can't connect to remote host (${formatIpv4(address)}): ${reasonOf(thrown)}`);
  }
  return fd;
}

async function say({ sys, out }: Context, line: string): Promise<void> {
  await out.flush();
  await sys.write(2, encodeText(`${line}\n`));
}

function request({ host, port, path }: Target, options: Options): string {
  const data = options.value("D");
  const lines = [
    `${data === undefined ? "GET" : "POST"} ${path} HTTP/1.1`,
    `Host: ${host}${port === 80 ? "" : `:${port}`}`,
    `User-Agent: ${options.value("U") ?? "Wget"}`,
    "Connection: close",
    ...options.values("H"),
    ...(data === undefined
      ? []
      : ["Content-Type: application/x-www-form-urlencoded", `Content-Length: ${encodeText(data).length}`]),
  ];
  return `${lines.join("\r\n")}\r\n\r\n${data ?? ""}`;
}

function redirected(from: Target, location: string): Target {
  return /^\w+:\/\//.test(location) ? targetOf(location) : { ...from, path: location };
}

async function readResponse(sys: Sys, fd: Fd): Promise<Response> {
  let head = new Uint8Array(0);
  let end = -1;
  while (end === -1) {
    const chunk = await sys.read(fd, chunkBytes);
    if (chunk.length === 0 || head.length > headBytesMax) throw new Failure("error getting response");
    head = concat([head, chunk]);
    end = decodeLatin(head).search(/\r?\n\r?\n/);
  }
  const [first = "", ...lines] = decodeLatin(head.subarray(0, end)).split(/\r?\n/);
  const [, status] = /^HTTP\/\d\.\d\s+(.*)$/.exec(first) ?? [];
  if (status === undefined) throw new Failure(`bad header line: ${first}`);
  const headers = new Map(lines.map(headerOf));
  const rest = head.subarray(end + (/^\r?\n\r?\n/.exec(decodeLatin(head.subarray(end)))?.[0].length ?? 0));
  const raw = bytesFrom(sys, fd, rest);
  const isChunked = /\bchunked\b/i.test(headers.get("transfer-encoding") ?? "");
  return { status, headers, body: isChunked ? unchunked(raw) : limited(raw, headers.get("content-length")) };
}

/** Of the head, byte for byte a character. */
function decodeLatin(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

function headerOf(line: string): [string, string] {
  const at = line.indexOf(":");
  return [line.slice(0, at).trim().toLowerCase(), line.slice(at + 1).trim()];
}

async function* bytesFrom(sys: Sys, fd: Fd, first: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  if (first.length > 0) yield first;
  for (;;) {
    const chunk = await sys.read(fd, chunkBytes);
    if (chunk.length === 0) return;
    yield chunk;
  }
}

async function* limited(
  bytes: AsyncGenerator<Uint8Array, void, undefined>,
  length: string | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  let left = length === undefined ? Infinity : Number(length);
  while (left > 0) {
    const { value, done } = await bytes.next();
    if (done === true) {
      if (left === Infinity) return;
      throw new Failure("connection closed prematurely");
    }
    yield value.subarray(0, left);
    left -= value.length;
  }
}

/** RFC 9112, 7.1. */
async function* unchunked(
  bytes: AsyncGenerator<Uint8Array, void, undefined>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let have = new Uint8Array(0);
  const more = async (): Promise<void> => {
    const { value, done } = await bytes.next();
    if (done === true) throw new Failure("connection closed prematurely");
    have = concat([have, value]);
  };
  for (;;) {
    while (!have.includes(10)) await more();
    const end = have.indexOf(10);
    const size = Number.parseInt(decodeBytes(have.subarray(0, end)), 16);
    if (!(size >= 0)) throw new Failure("bad chunk length");
    have = have.slice(end + 1);
    if (size === 0) return;
    while (have.length < size) await more();
    yield have.subarray(0, size);
    have = have.slice(size);
    while (have.length < 2) await more();
    have = have.slice(have[0] === 13 ? 2 : 1);
  }
}

async function save(context: Context, { body }: Response, target: Target, options: Options): Promise<void> {
  const { sys } = context;
  const name = options.value("O") ?? defaultName(target);
  const quiet = options.has("q");
  const fd = name === "-" ? 1 : await sys.open(name, { access: "write", create: true, truncate: true, mode: 0o666 });
  if (!quiet) await say(context, name === "-" ? "writing to stdout" : `saving to '${name}'`);
  let size = 0;
  for await (const chunk of body) {
    await sys.write(fd, chunk);
    size += chunk.length;
  }
  if (fd !== 1) sys.close(fd);
  if (!quiet) await say(context, progress(name, size));
  if (!quiet) await say(context, name === "-" ? "written to stdout" : `'${name}' saved`);
}

function progress(name: string, size: number): string {
  const shown = name.slice(0, 20).padEnd(20);
  return `${shown} 100% |${"*".repeat(32)}| ${String(size).padStart(5)}  0:00:00 ETA`;
}

function defaultName({ path }: Target): string {
  const name =
    path
      .replace(/[?#].*/, "")
      .split("/")
      .pop() ?? "";
  return name === "" ? "index.html" : name;
}

export const programs: Readonly<Record<string, Program>> = { wget };
