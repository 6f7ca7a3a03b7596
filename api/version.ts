/**
 * API versions. A request may carry one as a path prefix, "/v1.41/…"; without it the newest is
 * meant. What a version changes in a body is asked of `Version` where the body is made.
 */
import { invalid } from "./errors.ts";

/** The minor number: 41 of "1.41". The major number is always 1. */
export type Version = number;

export const newestVersion = "1.50";
export const oldestVersion = "1.24";
const newest: Version = 50;
const oldest: Version = 24;

const prefix = /^\/v(\d{1,9})\.(\d{1,9})(?=\/)/;

/** Splits the prefix off a path. Throws TsboxError "invalid" for a version we do not speak. */
export function splitVersion(path: string): { version: Version; path: string } {
  const match = prefix.exec(path);
  if (match === null) return { version: newest, path };
  const [whole, major, minor] = match;
  checkVersion(Number(major), Number(minor));
  return { version: Number(minor), path: path.slice(whole.length) };
}

function checkVersion(major: number, minor: number): void {
  const asked = `${major}.${minor}`;
  if (major > 1 || (major === 1 && minor > newest))
    throw invalid(`client version ${asked} is too new. Maximum supported API version is ${newestVersion}`);
  if (major < 1 || minor < oldest)
    throw invalid(
      `client version ${asked} is too old. Minimum supported API version is ${oldestVersion}, ` +
        "please upgrade your client to a newer version",
    );
}

/** Since 1.42 the content type tells frames from raw bytes. */
export function streamContentType(version: Version, framed: boolean): string {
  return framed && version >= 42 ? "application/vnd.docker.multiplexed-stream" : "application/vnd.docker.raw-stream";
}
