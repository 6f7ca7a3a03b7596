/**
 * A session of the simulated machine on disk: DIRECTORY/session.jsonl, what it began with on the first
 * line and then an entry of the input log a line, appended as it happens; bytes of some length in
 * DIRECTORY/bytes under their SHA-256. What was written when the daemon was killed is a whole session:
 * of a last line without its end nothing had happened yet.
 */
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import type { LogEntry } from "../backends/sim/input-log.ts";
import { hex } from "../core/base/bytes.ts";
import { messageOf, TsboxError } from "../core/base/error.ts";
import type { RegistryConfig } from "../core/image/registry/endpoints.ts";

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const digits = v.pipe(v.string(), v.digits());
const size = { rows: count, columns: count };
const wire = { step: count, connection: count };
const answer = { step: count, fetch: count };

const headSchema = v.object({
  seed: count,
  /** Nanoseconds since the epoch at boot. */
  now: digits,
  size: v.object(size),
  /** How registries outside are spoken to (core/image/registry/endpoints.ts). */
  registry: v.object({
    mirrors: v.array(v.string()),
    insecure: v.array(v.string()),
    mirrorsOf: v.record(v.string(), v.array(v.string())),
    downloadsMax: count,
    uploadsMax: count,
  }),
});

export interface SessionHead extends Omit<v.InferOutput<typeof headSchema>, "registry"> {
  readonly registry: RegistryConfig;
}

/** Where bytes are: few in the line itself, in hexadecimal digits, many in a file. */
const bytesSchema = v.union([
  v.object({ hex: v.pipe(v.string(), v.regex(/^([0-9a-f]{2})*$/)) }),
  v.object({ sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)) }),
]);

const entrySchema = v.variant("kind", [
  v.object({ kind: v.literal("time"), step: count, to: digits }),
  v.object({ kind: v.literal("connect"), ...wire }),
  v.object({ kind: v.literal("bytes"), ...wire, bytes: bytesSchema }),
  v.object({ kind: v.literal("taken"), ...wire, count }),
  v.object({ kind: v.literal("end"), ...wire }),
  v.object({ kind: v.literal("close"), ...wire }),
  v.object({ kind: v.literal("response"), ...answer, status: count, headers: v.record(v.string(), v.string()) }),
  v.object({ kind: v.literal("part"), ...answer, bytes: bytesSchema }),
  v.object({ kind: v.literal("fetched"), ...answer }),
  v.object({ kind: v.literal("failed"), ...answer, reason: v.nullable(v.string()), message: v.string() }),
]);

const inlineBytesMax = 1024;

export interface SimSession {
  readonly head: SessionHead;
  /** What is to be lived again. */
  readonly entries: readonly LogEntry[];
  /** For messages: where it is. */
  readonly directory: string;
  add(entry: LogEntry): void;
  close(): void;
}

/** A session that ends with its daemon. */
export function forgottenSession(head: SessionHead): SimSession {
  return { head, entries: [], directory: "nowhere", add: () => {}, close: () => {} };
}

export class KeptSession implements SimSession {
  readonly head: SessionHead;
  readonly entries: readonly LogEntry[];
  readonly directory: string;

  private constructor(directory: string, head: SessionHead, entries: readonly LogEntry[]) {
    this.directory = directory;
    this.head = head;
    this.entries = entries;
  }

  /**
   * The session in a directory, or a new one that begins as `head` says. Throws TsboxError: "conflict"
   * when another daemon lives it, "corrupt" naming the line or the file that is damaged.
   */
  static open(directory: string, head: SessionHead): KeptSession {
    mkdirSync(join(directory, "bytes"), { recursive: true, mode: 0o700 });
    lock(directory);
    const path = join(directory, "session.jsonl");
    if (!existsSync(path)) writeFileSync(path, `${JSON.stringify(head)}\n`, { mode: 0o600 });
    const [first = "", ...lines] = wholeLines(path);
    const parsed = parse(headSchema, first, `${path}, line 1`);
    const entries = lines.map((line, at) => entryOf(directory, line, `${path}, line ${at + 2}`));
    return new KeptSession(directory, parsed, entries);
  }

  add(entry: LogEntry): void {
    const line = "bytes" in entry ? { ...entry, bytes: keep(this.directory, entry.bytes) } : entry;
    appendFileSync(join(this.directory, "session.jsonl"), `${JSON.stringify(line)}\n`);
  }

  close(): void {
    rmSync(join(this.directory, "lock"), { force: true });
  }
}

/** The lines that have their end; what follows them is cut off. */
function wholeLines(path: string): string[] {
  const text = readFileSync(path, "utf8");
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  if (whole !== text) truncateSync(path, Buffer.byteLength(whole));
  return whole.split("\n").slice(0, -1);
}

function parse<T extends v.GenericSchema>(schema: T, line: string, where: string): v.InferOutput<T> {
  try {
    return v.parse(schema, JSON.parse(line));
  } catch (thrown) {
    throw new TsboxError("corrupt", `${where}: ${messageOf(thrown)}; begin another session with --session DIRECTORY`);
  }
}

function entryOf(directory: string, line: string, where: string): LogEntry {
  const entry = parse(entrySchema, line, where);
  return "bytes" in entry ? { ...entry, bytes: kept(directory, entry.bytes) } : entry;
}

/** Written before the line that names it. */
function keep(directory: string, bytes: Uint8Array): v.InferOutput<typeof bytesSchema> {
  if (bytes.length <= inlineBytesMax) return { hex: hex(bytes) };
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  writeFileSync(join(directory, "bytes", sha256), bytes, { mode: 0o600 });
  return { sha256 };
}

function kept(directory: string, where: v.InferOutput<typeof bytesSchema>): Uint8Array {
  if ("hex" in where) return new Uint8Array(Buffer.from(where.hex, "hex"));
  const path = join(directory, "bytes", where.sha256);
  const bytes = readFileSync(path);
  if (createHash("sha256").update(bytes).digest("hex") === where.sha256) return new Uint8Array(bytes);
  throw new TsboxError("corrupt", `${path} is not what its name says; begin another session with --session DIRECTORY`);
}

/** One daemon a session. A lock whose daemon is gone is taken over. */
function lock(directory: string): void {
  const path = join(directory, "lock");
  const owner = existsSync(path) ? Number(readFileSync(path, "utf8")) : 0;
  if (owner > 0 && isAlive(owner))
    throw new TsboxError("conflict", `the session in ${directory} is lived by another tsboxd, process ${owner}`);
  writeFileSync(path, `${process.pid}\n`, { mode: 0o600 });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return pid !== process.pid;
  } catch {
    return false;
  }
}
