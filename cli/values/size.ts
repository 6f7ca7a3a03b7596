/** Sizes and numbers as Docker's flags take them; each throws Error with Docker's reason. */

/** "64m", "1.5g", "512" to bytes; units are powers of 1024. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp])?i?b?$/i.exec(text);
  if (match === null) throw new Error(`invalid size: '${text}'`);
  const [, number = "0", unit = ""] = match;
  return Math.floor(Number(number) * 1024 ** " kmgtp".indexOf(unit.toLowerCase() || " "));
}

/** Like parseSize, and "-1": unlimited. */
export function parseSwap(text: string): number {
  return text === "-1" ? -1 : parseSize(text);
}

/** "1.5" processors to billionths. */
export function parseCpus(text: string): number {
  if (!/^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?$/.test(text))
    throw new Error(`failed to parse ${text} as a rational number`);
  const nanos = Number((Number(text) * 1e9).toPrecision(15));
  if (!Number.isInteger(nanos)) throw new Error("value is too precise");
  return nanos;
}

export interface WireUlimit {
  readonly Name: string;
  readonly Hard: number;
  readonly Soft: number;
}

const ulimitNames = new Set(
  "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split(" "),
);

/** "nofile=1024:2048" or "nofile=1024". */
export function parseUlimit(text: string): WireUlimit {
  const [, name, values] = /^([^=]*)=(.*)$/.exec(text) ?? [];
  if (name === undefined || values === undefined) throw new Error(`invalid ulimit argument: ${text}`);
  if (!ulimitNames.has(name)) throw new Error(`invalid ulimit type: ${name}`);
  const [soft = "", hard = soft, ...more] = values.split(":");
  if (more.length > 0)
    throw new Error(`too many limit value arguments - ${values}, can only have up to two, \`soft[:hard]\``);
  const limit = { Name: name, Hard: parseLimit(hard), Soft: parseLimit(soft) };
  if (limit.Hard !== -1 && (limit.Soft > limit.Hard || limit.Soft === -1))
    throw new Error(`ulimit soft limit must be less than or equal to hard limit: ${limit.Soft} > ${limit.Hard}`);
  return limit;
}

function parseLimit(text: string): number {
  if (!/^[-+]?\d+$/.test(text)) throw new Error(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
}
