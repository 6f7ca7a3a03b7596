/** The one place where an error becomes a status and Docker's {"message"}. */
import { unreachable } from "../core/base/assert.ts";
import type { ErrorCode } from "../core/base/error.ts";
import { messageOf, TsboxError } from "../core/base/error.ts";
import type { Reply } from "./http.ts";
import { emptyReply, jsonReply } from "./reply.ts";

export function errorReply(thrown: unknown): Reply {
  const status = thrown instanceof TsboxError ? statusOf(thrown.code) : 500;
  return status === 304 ? emptyReply(304) : jsonReply(status, { message: messageOf(thrown) });
}

export function statusOf(code: ErrorCode): number {
  switch (code) {
    case "invalid":
    case "corrupt":
    case "cannot-start":
      return 400;
    case "unauthorized":
      return 401;
    case "not-found":
      return 404;
    case "conflict":
      return 409;
    case "not-modified":
      return 304;
    case "forbidden":
      return 403;
    case "unsupported":
      return 501;
    case "unavailable":
      return 503;
    case "failed":
      return 500;
    default:
      return unreachable(code);
  }
}

export function invalid(message: string): TsboxError {
  return new TsboxError("invalid", message);
}
