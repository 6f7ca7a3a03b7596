/**
 * What Node tells of a file or a stream, with its name in front as docker has it: "open /x: no such file or directory" of
 * "ENOENT: no such file or directory, open '/x'".
 */
import { messageOf } from "../core/base/error.ts";

export function fileError(operation: string, path: string, thrown: unknown): Error {
  const message = messageOf(thrown);
  const reason = /^[A-Z0-9]+: (.+), \w+/.exec(message)?.[1] ?? message;
  return new Error(`${operation} ${path}: ${reason}`, { cause: thrown });
}
