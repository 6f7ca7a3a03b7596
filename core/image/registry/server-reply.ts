/** What the registry's server answers, with the headers and error codes of distribution (registry/api/errcode). */
import { encodeText, streamOf } from "../../base/bytes.ts";
import { emptyBody, type Headers, type HttpResponse } from "./http.ts";

export const apiHeaders: Headers = {
  "docker-distribution-api-version": "registry/2.0",
  "x-content-type-options": "nosniff",
};

const problems = {
  UNSUPPORTED: { status: 405, message: "The operation is unsupported." },
  UNAUTHORIZED: { status: 401, message: "authentication required" },
  DIGEST_INVALID: { status: 400, message: "provided digest did not match uploaded content" },
  RANGE_INVALID: { status: 416, message: "invalid content range" },
  NAME_UNKNOWN: { status: 404, message: "repository name not known to registry" },
  MANIFEST_UNKNOWN: { status: 404, message: "manifest unknown" },
  MANIFEST_INVALID: { status: 400, message: "manifest invalid" },
  MANIFEST_BLOB_UNKNOWN: { status: 400, message: "blob unknown to registry" },
  BLOB_UNKNOWN: { status: 404, message: "blob unknown to registry" },
  BLOB_UPLOAD_UNKNOWN: { status: 404, message: "blob upload unknown to registry" },
  BLOB_UPLOAD_INVALID: { status: 404, message: "blob upload invalid" },
} as const;

export type ProblemCode = keyof typeof problems;

export interface Problem {
  readonly code: ProblemCode;
  readonly detail?: unknown;
}

/** A refusal on its way to its answer. */
export class RegistryRefusal extends Error {
  override readonly name = "RegistryRefusal";
  readonly status: number;
  readonly problems: readonly Problem[];

  constructor(...found: readonly [Problem, ...Problem[]]) {
    super(found[0].code);
    this.status = problems[found[0].code].status;
    this.problems = found;
  }
}

export function refuse(code: ProblemCode, detail?: unknown): RegistryRefusal {
  return new RegistryRefusal({ code, ...(detail === undefined ? {} : { detail }) });
}

export function refusalReply({ status, problems: found }: RegistryRefusal, headers: Headers = {}): HttpResponse {
  const errors = found.map(({ code, detail }) => ({
    code,
    message: problems[code].message,
    ...(detail === undefined ? {} : { detail }),
  }));
  return jsonReply({ errors }, headers, status);
}

export function jsonReply(value: unknown, headers: Headers = {}, status = 200): HttpResponse {
  return bytesReply(status, encodeText(`${goJson(value)}\n`), {
    "content-type": "application/json; charset=utf-8",
    ...headers,
  });
}

/** Go's encoder escapes what could end a script element. */
function goJson(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`);
}

export function bytesReply(status: number, bytes: Uint8Array, headers: Headers): HttpResponse {
  return {
    status,
    headers: { ...apiHeaders, "content-length": String(bytes.length), ...headers },
    body: streamOf(bytes),
  };
}

export function emptyReply(status: number, headers: Headers): HttpResponse {
  const length: Headers = status === 204 ? {} : { "content-length": "0" };
  return { status, headers: { ...apiHeaders, ...length, ...headers }, body: emptyBody() };
}

/** What Go's router says to a path it does not know. */
export function pageNotFound(): HttpResponse {
  return textReply(404, "404 page not found\n", {});
}

export function methodNotAllowed(allowed: readonly string[]): HttpResponse {
  return textReply(405, "Method not allowed\n", { allow: allowed.toSorted().join(", ") });
}

function textReply(status: number, text: string, headers: Headers): HttpResponse {
  return bytesReply(status, encodeText(text), { "content-type": "text/plain; charset=utf-8", ...headers });
}

/** "/" says that a server is here, and no more. */
export function bare(): HttpResponse {
  return { status: 200, headers: { "cache-control": "no-cache", "content-length": "0" }, body: emptyBody() };
}
