/**
 * How `npm test` shows node:test's events: one line a test file, failures in full, skips with their reason. The last
 * line it writes is a tally in JSON, read by scripts/test.ts.
 */
import { relative } from "node:path";
import { inspect } from "node:util";
import type { TestEvent } from "node:test/reporters";

export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
  failures: string[];
}

type Result = Extract<TestEvent, { type: "test:pass" | "test:fail" }>["data"];

export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const tally: Tally = { passed: 0, failed: 0, skipped: 0, failures: [] };
  const skips = new Map<string, number>();
  for await (const event of events) {
    if (event.type === "test:pass" || event.type === "test:fail") {
      yield* reportResult(event.data, event.type === "test:fail", tally, skips);
    } else if (event.type === "test:summary" && event.data.file !== undefined) {
      yield fileLine(event.data.file, event.data.counts, event.data.duration_ms);
    } else if (event.type === "test:stderr") {
      yield event.data.message;
    }
  }
  for (const [reason, count] of skips) yield `skipped ${count}: ${reason}\n`;
  yield `${JSON.stringify(tally)}\n`;
}

/** A suite is no test of its own; it fails by its tests, or by itself when its hooks do. */
function* reportResult(result: Result, failed: boolean, tally: Tally, skips: Map<string, number>): Generator<string> {
  const error = failed
    ? (result.details as { error?: Error & { failureType?: string; cause?: unknown } }).error
    : undefined;
  if (error?.failureType === "subtestsFailed") return;
  if (result.details.type === "suite" && !failed) return;
  if (result.skip !== undefined && result.skip !== false) {
    tally.skipped++;
    const reason =
      typeof result.skip === "string" && result.skip !== "" ? result.skip : `${result.name} (no reason given)`;
    skips.set(reason, (skips.get(reason) ?? 0) + 1);
  } else if (failed && (result.todo === undefined || result.todo === false)) {
    tally.failed++;
    const text = `${place(result)} ${result.name}\n${indent(inspect(error?.cause ?? error))}`;
    tally.failures.push(text);
    yield `not ok ${text}\n`;
  } else {
    tally.passed++;
  }
}

function fileLine(
  file: string,
  counts: { passed: number; tests: number; skipped: number },
  milliseconds: number,
): string {
  const bad = counts.tests - counts.passed - counts.skipped;
  const numbers = `${counts.passed} passed${bad > 0 ? `, ${bad} failed` : ""}${counts.skipped > 0 ? `, ${counts.skipped} skipped` : ""}`;
  return `${bad > 0 ? "not ok" : "ok"} ${relative(process.cwd(), file)}: ${numbers}, ${(milliseconds / 1000).toFixed(1)} s\n`;
}

function place(result: Result): string {
  return `${result.file === undefined ? "?" : relative(process.cwd(), result.file)}:${result.line ?? "?"}`;
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, "    ");
}
