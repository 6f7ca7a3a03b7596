/** `-p` and `--expose`: ports, and ranges of them, to the API's "80/tcp" keys. Throws Error with Docker's reason. */
export interface Published {
  /** "80/tcp". */
  readonly port: string;
  readonly hostIp: string;
  /** "" lets the daemon choose. */
  readonly hostPort: string;
}

/** "80", "80/udp", "8000-8010". */
export function parseExpose(text: string): string[] {
  const [range = "", protocol = "tcp"] = text.split("/");
  return portRange(range, `invalid range format for --expose: ${text}`).map((port) => `${port}/${protocol}`);
}

/** "80", "8080:80", "127.0.0.1:8080:80/udp", "[::1]:8080:80", "8000-8010:8000-8010". */
export function parsePublish(text: string): Published[] {
  const [, address = "", host = "", inside = "", protocol = "tcp"] =
    /^(?:(\[[\da-f:.]+\]|[^:]*):(?=[^:]*:))?(?:([^:]*):)?([^:/]*)(?:\/(\w+))?$/i.exec(text) ?? [];
  if (inside === "") throw new Error("no port specified: <empty>");
  const wrong = `invalid containerPort: ${inside}`;
  const ports = portRange(inside, wrong);
  const hostPorts = host === "" ? ports.map(() => "") : portRange(host, `invalid hostPort: ${host}`).map(String);
  if (hostPorts.length !== ports.length && ports.length > 1)
    throw new Error(`invalid ranges specified for container and host Ports: ${inside} and ${host}`);
  return ports.map((port, at) => ({
    port: `${port}/${protocol.toLowerCase()}`,
    hostIp: address.replace(/^\[(.*)\]$/, "$1"),
    hostPort: ports.length === 1 ? host : (hostPorts[at] ?? ""),
  }));
}

function portRange(text: string, problem: string): number[] {
  const [, first = "", last = first] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  const [from, to] = [Number(first), Number(last)];
  if (first === "" || to > 65535 || to < from) throw new Error(problem);
  return Array.from({ length: to - from + 1 }, (_, at) => from + at);
}
