/**
 * The options of the json-file log driver, --log-opt (moby: daemon/logger/jsonfilelog). All throw TsboxError "invalid"
 * in docker's words.
 */
import { TsboxError } from "../base/error.ts";

export interface Rotation {
  readonly maxBytes: number;
  readonly maxFiles: number;
}

const known = ["max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex", "tag"];
/** More files than that are more than anybody reads, and each turn renames all of them. */
const filesMax = 1000;

/** null: the log grows without bound. */
export function rotationOf(options: Readonly<Record<string, string>>): Rotation | null {
  for (const name of Object.keys(options))
    if (!known.includes(name)) throw invalid(`unknown log opt '${name}' for json-file log driver`);
  const maxFiles = filesOf(options["max-file"]);
  const size = options["max-size"];
  if (size === undefined) {
    if (options["max-file"] === undefined) return null;
    throw unusable("max-file needs max-size: without it no file is ever full");
  }
  return { maxBytes: bytesOf(size), maxFiles };
}

/** What of them has no effect. */
export function idleLogOptions(options: Readonly<Record<string, string>>): string[] {
  return Object.keys(options).filter((name) => name !== "max-size" && name !== "max-file");
}

function filesOf(text: string | undefined): number {
  if (text === undefined) return 1;
  if (!/^[+-]?\d+$/.test(text)) throw unusable(`invalid max-file ${JSON.stringify(text)}: expected a whole number`);
  if (Number(text) < 1) throw unusable("max-file cannot be less than 1");
  if (Number(text) > filesMax) throw unusable(`max-file cannot be more than ${filesMax}`);
  return Number(text);
}

/** "10m": in powers of 1000 (docker/go-units: FromHumanSize). */
function bytesOf(text: string): number {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?) ?([kKmMgGtTpP])?[iI]?[bB]?$/.exec(text) ?? [];
  if (number === undefined) throw unusable(`invalid size: '${text}'`);
  const bytes = Math.floor(Number(number) * 1000 ** " kmgtp".indexOf(unit.toLowerCase() || " "));
  if (bytes <= 0) throw unusable("max-size must be a positive number");
  return bytes;
}

function unusable(message: string): TsboxError {
  return invalid(`failed to initialize logging driver: ${message}`);
}

function invalid(message: string): TsboxError {
  return new TsboxError("invalid", message);
}
