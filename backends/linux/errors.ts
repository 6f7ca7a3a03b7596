/** What node:fs throws, in the core's vocabulary. */
import { Errno, errnoName } from "../../core/base/errno.ts";

/** An Errno for a failed system call, on this path or else the call's own; anything else as it is. */
export function asErrno(thrown: unknown, path = ""): unknown {
  if (!(thrown instanceof Error) || !("errno" in thrown) || typeof thrown.errno !== "number") return thrown;
  const named = "path" in thrown && typeof thrown.path === "string" ? thrown.path : "";
  return new Errno(errnoName(-thrown.errno), path === "" ? named : path);
}

/** Whether a system call failed with one of these. */
export function failedWith(thrown: unknown, ...codes: readonly string[]): boolean {
  return thrown instanceof Error && "code" in thrown && codes.includes(String(thrown.code));
}
