/**
 * A registry's refusal, in words. Registries answer errors with {"errors":[{"code","message"}]}
 * (distribution: api, "Errors"); only that form is ever shown: what another body says may come from
 * a host that nobody meant to ask.
 */
import { type ErrorCode, TsboxError } from "../../base/error.ts";
import { discard, type HttpResponse, readText } from "./http.ts";

interface Problem {
  readonly code: string;
  readonly message: string;
}

const bodyBytesMax = 64 * 1024;
const shownMax = 512;

/** Reads the answer's body. `what` begins the sentence: "manifest for busybox:1". */
export async function registryError(response: HttpResponse, what: string): Promise<TsboxError> {
  const problems = await problemsOf(response);
  const words =
    problems.length > 0 ? problems.map(inWords).join(", ") : `the registry answered with status ${response.status}`;
  const data = { status: response.status, ...(problems[0] === undefined ? {} : { registryCode: problems[0].code }) };
  return new TsboxError(codeOf(response.status), `${what}: ${words.slice(0, shownMax)}`, {
    ...data,
    ...retryAfter(response),
  });
}

function codeOf(status: number): ErrorCode {
  if (status === 401) return "unauthorized";
  if (status === 403) return "forbidden";
  if (status === 404) return "not-found";
  if (status === 429 || status >= 500) return "unavailable";
  return "failed";
}

/** Docker's: "manifest unknown: manifest unknown" (distribution: registry/api/errcode). */
function inWords({ code, message }: Problem): string {
  const name = code.toLowerCase().replaceAll("_", " ");
  return message === "" ? name : `${name}: ${message}`;
}

async function problemsOf(response: HttpResponse): Promise<Problem[]> {
  if (!/\bjson\b/.test(response.headers["content-type"] ?? "")) {
    await discard(response);
    return [];
  }
  try {
    const { errors } = JSON.parse(await readText(response, "the answer", bodyBytesMax)) as { errors?: unknown };
    return Array.isArray(errors) ? errors.flatMap(problemOf) : [];
  } catch {
    return [];
  }
}

function problemOf(value: unknown): Problem[] {
  if (typeof value !== "object" || value === null) return [];
  const { code, message } = value as { code?: unknown; message?: unknown };
  return typeof code === "string" ? [{ code: printable(code), message: printable(message) }] : [];
}

/** Without what would move a terminal's cursor. */
function printable(value: unknown): string {
  return typeof value === "string" ? value.replace(/[^\x20-\x7e\u00a0-\uffff]/g, " ") : "";
}

function retryAfter({ headers }: HttpResponse): { retryAfter?: string } {
  const text = headers["retry-after"];
  return text === undefined ? {} : { retryAfter: text };
}
