/** Request bodies: bounded, JSON, checked against a schema. Unknown fields are ignored, wrong types name the field. */
import * as v from "valibot";
import { readAll } from "../core/base/bytes.ts";
import type { ApiRequest } from "./http.ts";
import { invalid } from "./errors.ts";

const bodyBytesMax = 16 * 1024 * 1024;
const decoder = new TextDecoder("utf-8", { fatal: true });

/** Throws TsboxError "invalid" for a body that is too long, not JSON, of another type or of another shape. */
export async function readBody<S extends v.GenericSchema>(request: ApiRequest, schema: S): Promise<v.InferOutput<S>> {
  const bytes = await readBounded(request);
  if (bytes.length > 0) checkContentType(request);
  return checkShape(schema, bytes.length === 0 ? {} : parseJson(bytes));
}

async function readBounded(request: ApiRequest): Promise<Uint8Array> {
  try {
    return await readAll(request.body, bodyBytesMax);
  } catch (thrown) {
    if (thrown instanceof RangeError) throw invalid(`request body is larger than ${bodyBytesMax} bytes`);
    throw thrown;
  }
}

function checkContentType(request: ApiRequest): void {
  const type = request.headers["content-type"] ?? "";
  if (type !== "" && type.split(";")[0]?.trim().toLowerCase() !== "application/json")
    throw invalid(`Content-Type specified (${type}) must be 'application/json'`);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch {
    throw invalid("request body is not valid JSON");
  }
}

export function checkShape<S extends v.GenericSchema>(schema: S, value: unknown): v.InferOutput<S> {
  if (Array.isArray(value)) throw invalid("invalid request body: expected an object, received a list");
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const issue = result.issues[0];
  const field = v.getDotPath(issue) ?? "request body";
  throw invalid(
    `invalid request body: ${field}: expected ${issue.expected ?? "another value"}, received ${issue.received}`,
  );
}
