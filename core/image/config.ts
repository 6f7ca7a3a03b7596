/**
 * An image's configuration: what its programs need and which layers its root is made of (OCI
 * image-spec, config.md; Docker's image.json is the same). Its bytes are never written anew, because
 * their digest is the image's id; this reads them.
 */
import { asArray, asObject, asText, asTextList, asTexts, corrupt, type JsonObject, parseJson } from "./descriptor.ts";
import { type DiffId, isDigest } from "./digest.ts";
import type { HistoryStep, ImageDefaults } from "./image.ts";
import type { Platform } from "./platform.ts";

export interface ImageConfig {
  readonly platform: Platform;
  readonly created: string;
  readonly author: string;
  readonly comment: string;
  readonly diffIds: readonly DiffId[];
  readonly history: readonly HistoryStep[];
  readonly defaults: ImageDefaults;
}

/** `what` names the configuration in errors. Throws TsboxError "corrupt" naming the field that is wrong. */
export function parseConfig(bytes: Uint8Array, what: string): ImageConfig {
  const json = parseJson(bytes, what);
  const text = (name: string): string => asText(json[name], `${what}: ${name}`);
  return {
    platform: { os: text("os") || "linux", architecture: text("architecture"), variant: text("variant") },
    created: text("created"),
    author: text("author"),
    comment: text("comment") || lastComment(json),
    diffIds: parseRootfs(json, what),
    history: parseHistory(json, `${what}: history`),
    defaults: parseDefaults(asObject(json["config"] ?? {}, `${what}: config`), `${what}: config`),
  };
}

function parseRootfs(json: JsonObject, what: string): readonly DiffId[] {
  if (json["rootfs"] === undefined || json["rootfs"] === null)
    throw corrupt(`${what} has no rootfs: it does not say which layers the image is made of`);
  const { type, diff_ids } = asObject(json["rootfs"], `${what}: rootfs`);
  if (type !== "layers") throw corrupt(`${what}: rootfs.type is ${JSON.stringify(type)}, expected "layers"`);
  return asArray(diff_ids ?? [], `${what}: rootfs.diff_ids`).map((id, number) => {
    if (typeof id === "string" && isDigest(id)) return id as DiffId;
    throw corrupt(`${what}: rootfs.diff_ids ${number} is ${JSON.stringify(id)}, not sha256: and 64 hex digits`);
  });
}

function parseHistory(json: JsonObject, what: string): readonly HistoryStep[] {
  return asArray(json["history"] ?? [], what).map((item, number) => {
    const step = asObject(item, `${what} ${number}`);
    const text = (name: string): string => asText(step[name], `${what} ${number}: ${name}`);
    return {
      created: text("created"),
      createdBy: text("created_by"),
      comment: text("comment"),
      emptyLayer: step["empty_layer"] === true,
    };
  });
}

function parseDefaults(config: JsonObject, what: string): ImageDefaults {
  const text = (name: string): string => asText(config[name], `${what}.${name}`);
  const list = (name: string): readonly string[] | null => asTextList(config[name], `${what}.${name}`);
  const object = (name: string): JsonObject | null =>
    config[name] === undefined || config[name] === null ? null : asObject(config[name], `${what}.${name}`);
  const keys = (name: string): readonly string[] => Object.keys(asObject(config[name] ?? {}, `${what}.${name}`));
  return {
    user: text("User"),
    env: list("Env") ?? [],
    entrypoint: list("Entrypoint"),
    cmd: list("Cmd"),
    workingDir: text("WorkingDir"),
    volumes: keys("Volumes"),
    exposedPorts: keys("ExposedPorts"),
    labels: asTexts(config["Labels"], `${what}.Labels`),
    stopSignal: text("StopSignal") || null,
    onBuild: list("OnBuild") ?? [],
    healthcheck: object("Healthcheck"),
  };
}

/** OCI has no comment of the image; the last step's is the nearest to it. */
function lastComment(json: JsonObject): string {
  const history = json["history"];
  const last: unknown = Array.isArray(history) ? history.at(-1) : null;
  const comment = typeof last === "object" && last !== null && "comment" in last ? last.comment : "";
  return typeof comment === "string" ? comment : "";
}
