/**
 * Changes to an image's configuration, each written as a line of a Dockerfile: what `import --change`
 * and `commit --change` take. Only instructions that change nothing but the configuration are known
 * (moby: builder/dockerfile, validCommitCommands).
 */
import { TsboxError } from "../base/error.ts";
import type { JsonObject } from "./descriptor.ts";

/** Docker's names of the fields of `config`. Throws TsboxError "invalid" naming the change that cannot be made. */
export function changeConfig(config: JsonObject, changes: readonly string[]): JsonObject {
  return changes.map((line) => line.trim()).reduce(change, config);
}

type Change = (config: JsonObject, rest: string, line: string) => JsonObject;

const instructions: Readonly<Record<string, Change>> = {
  CMD: (config, rest) => ({ ...config, Cmd: commandOf(rest) }),
  ENTRYPOINT: (config, rest) => ({ ...config, Entrypoint: commandOf(rest) }),
  ENV: (config, rest, line) => ({ ...config, Env: withVariables(config["Env"], pairsOf(rest, line)) }),
  EXPOSE: (config, rest) => ({ ...config, ExposedPorts: withKeys(config["ExposedPorts"], words(rest).map(portOf)) }),
  HEALTHCHECK: (config, rest, line) => ({ ...config, Healthcheck: healthcheckOf(rest, line) }),
  LABEL: (config, rest, line) => ({
    ...config,
    Labels: { ...objectOf(config["Labels"]), ...Object.fromEntries(pairsOf(rest, line)) },
  }),
  ONBUILD: (config, rest) => ({ ...config, OnBuild: [...listOf(config["OnBuild"]), triggerOf(rest)] }),
  STOPSIGNAL: (config, rest) => ({ ...config, StopSignal: rest }),
  USER: (config, rest) => ({ ...config, User: rest }),
  VOLUME: (config, rest) => ({ ...config, Volumes: withKeys(config["Volumes"], jsonWords(rest) ?? words(rest)) }),
  WORKDIR: (config, rest) => ({ ...config, WorkingDir: directoryOf(config["WorkingDir"], rest) }),
};

function change(config: JsonObject, line: string): JsonObject {
  if (line === "") throw invalid("file with no instructions");
  const [, word = "", rest = ""] = /^(\S+)\s*([\s\S]*)$/.exec(line) ?? [];
  const name = word.toUpperCase();
  const apply = Object.hasOwn(instructions, name) ? instructions[name] : undefined;
  if (apply === undefined)
    throw invalid(`${word} is not a valid change command; there are ${Object.keys(instructions).join(", ")}`);
  if (rest === "") throw invalid(`${name} requires at least one argument`);
  return apply(config, rest, line);
}

/** A JSON list as it is, anything else for the shell. */
function commandOf(rest: string): readonly string[] {
  return jsonWords(rest) ?? ["/bin/sh", "-c", rest];
}

function jsonWords(rest: string): readonly string[] | null {
  if (!rest.startsWith("[")) return null;
  try {
    const list: unknown = JSON.parse(rest);
    return Array.isArray(list) && list.every((word) => typeof word === "string") ? list : null;
  } catch {
    return null;
  }
}

/** Blanks part words; quotes hold them together and a backslash takes the next character as it is. */
function words(text: string): string[] {
  const found = text.match(/(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\])+/g) ?? [];
  return found.map((word) =>
    word.replace(/"((?:\\.|[^"\\])*)"|'([^']*)'|\\(.)/g, (_, double?: string, single?: string, escaped?: string) =>
      double === undefined ? (single ?? escaped ?? "") : double.replace(/\\(["\\$])/g, "$1"),
    ),
  );
}

/** `KEY=value …`, or the old form `KEY value`. */
function pairsOf(rest: string, line: string): [key: string, value: string][] {
  const all = words(rest);
  if (!all[0]?.includes("=")) {
    const [, key = "", value = ""] = /^(\S+)\s+([\s\S]+)$/.exec(rest) ?? [];
    if (key === "") throw invalid(`${line}: must have two arguments`);
    return [[key, value]];
  }
  return all.map((word) => {
    const at = word.indexOf("=");
    if (at < 1) throw invalid(`${line}: can't find = in ${JSON.stringify(word)}; must be of the form: name=value`);
    return [word.slice(0, at), word.slice(at + 1)];
  });
}

function withVariables(env: unknown, pairs: readonly [string, string][]): string[] {
  let list = listOf(env);
  for (const [key, value] of pairs) {
    const at = list.findIndex((item) => item.startsWith(`${key}=`));
    list = at < 0 ? [...list, `${key}=${value}`] : list.with(at, `${key}=${value}`);
  }
  return list;
}

function listOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

function triggerOf(rest: string): string {
  const word = (/^\S+/.exec(rest)?.[0] ?? "").toUpperCase();
  if (word === "ONBUILD") throw invalid("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (word === "FROM" || word === "MAINTAINER") throw invalid(`${word} isn't allowed as an ONBUILD trigger`);
  return rest;
}

/** The flags of HEALTHCHECK, and the fields they are kept in; the last one is a number, the others are durations. */
const checkFlags: Readonly<Record<string, string>> = {
  interval: "Interval",
  timeout: "Timeout",
  "start-period": "StartPeriod",
  "start-interval": "StartInterval",
  retries: "Retries",
};

/** `[--FLAG=VALUE …] CMD COMMAND`, or `NONE` (Dockerfile reference, "HEALTHCHECK"). */
function healthcheckOf(rest: string, line: string): JsonObject {
  const [, flags = "", word = "", command = ""] = /^((?:--\S+\s+)*)(\S+)\s*([\s\S]*)$/.exec(rest) ?? [];
  const kind = word.toUpperCase();
  const known = Object.fromEntries(words(flags).map((flag) => checkFlag(flag, line)));
  if (kind === "NONE" && command === "") return { Test: ["NONE"] };
  if (kind !== "CMD") throw invalid(`Unknown type ${JSON.stringify(kind)} in HEALTHCHECK (try CMD)`);
  if (command === "") throw invalid("Missing command after HEALTHCHECK CMD");
  const list = jsonWords(command);
  return { Test: list === null ? ["CMD-SHELL", command] : ["CMD", ...list], ...known };
}

function checkFlag(flag: string, line: string): [field: string, value: number] {
  const [, name = "", value = ""] = /^--([a-z-]+)=(.+)$/.exec(flag) ?? [];
  const field = Object.hasOwn(checkFlags, name) ? checkFlags[name] : undefined;
  if (field === undefined) throw invalid(`${line}: Unknown flag: ${flag.replace(/^--|=.*$/g, "")}`);
  const number = name === "retries" ? wholeNumber(value) : nanoseconds(value);
  if (number === null) throw invalid(`${line}: ${JSON.stringify(value)} is no value for --${name}`);
  return [field, number];
}

function wholeNumber(text: string): number | null {
  return /^\d{1,9}$/.test(text) ? Number(text) : null;
}

const units: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/** A duration of Go's, as "1m30s" (time.ParseDuration). */
function nanoseconds(text: string): number | null {
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) return null;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  return parts.reduce((sum, [, number, unit = ""]) => sum + Number(number) * (units[unit] ?? 0), 0);
}

function withKeys(known: unknown, keys: readonly string[]): JsonObject {
  return { ...objectOf(known), ...Object.fromEntries(keys.map((key) => [key, {}])) };
}

function objectOf(value: unknown): JsonObject {
  return typeof value === "object" && value !== null ? (value as JsonObject) : {};
}

function portOf(word: string): string {
  const [, number, protocol = "tcp"] = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/i.exec(word) ?? [];
  if (number === undefined || Number(number) > 65535) throw invalid(`invalid containerPort: ${word}`);
  return `${Number(number)}/${protocol.toLowerCase()}`;
}

function directoryOf(now: unknown, to: string): string {
  if (to.startsWith("/")) return to;
  const base = typeof now === "string" && now !== "" ? now.replace(/\/+$/, "") : "";
  return `${base}/${to}`;
}

function invalid(message: string): TsboxError {
  return new TsboxError("invalid", message);
}
