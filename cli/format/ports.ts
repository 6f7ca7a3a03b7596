/** The PORTS column of `ps`: "0.0.0.0:8080->80/tcp, 443/tcp", neighbours joined to ranges. */
import type { Port } from "../wire.ts";

interface Range {
  readonly ip: string;
  readonly type: string;
  readonly first: Port;
  last: Port;
}

export function portsText(ports: readonly Port[]): string {
  const ranges: Range[] = [];
  for (const port of ports.toSorted(byNumber)) {
    const range = ranges.find((each) => continues(each, port));
    if (range === undefined) ranges.push({ ip: port.IP ?? "", type: port.Type, first: port, last: port });
    else range.last = port;
  }
  return ranges.map(rangeText).join(", ");
}

function byNumber(a: Port, b: Port): number {
  if (a.PrivatePort !== b.PrivatePort) return a.PrivatePort - b.PrivatePort;
  if (a.IP !== b.IP) return (a.IP ?? "") < (b.IP ?? "") ? -1 : 1;
  return (a.PublicPort ?? 0) - (b.PublicPort ?? 0);
}

/** Only equal numbers inside and outside make one range, as in Docker's column. */
function continues({ ip, type, last }: Range, port: Port): boolean {
  const same = ip === (port.IP ?? "") && type === port.Type && port.PrivatePort === last.PrivatePort + 1;
  if (!same) return false;
  if (port.PublicPort === undefined) return last.PublicPort === undefined;
  return last.PublicPort === last.PrivatePort && port.PublicPort === port.PrivatePort;
}

function rangeText({ ip, type, first, last }: Range): string {
  const inside = numbers(first.PrivatePort, last.PrivatePort);
  if (!first.PublicPort) return `${inside}/${type}`;
  const outside = numbers(first.PublicPort, last.PublicPort ?? first.PublicPort);
  return `${ip === "" ? "" : `${ip.includes(":") ? `[${ip}]` : ip}:`}${outside}->${inside}/${type}`;
}

function numbers(first: number, last: number): string {
  return first === last ? String(first) : `${first}-${last}`;
}
