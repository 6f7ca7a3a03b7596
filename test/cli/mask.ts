/** What may differ between two clients that did the same: ids, ages, the program's own name. */
import type { Outcome } from "./client-run.ts";

const age = "(?:Less than a second|About (?:a minute|an hour)|\\d+ (?:second|minute|hour|day|week|month)s?)";

export function masked({ stdout, stderr, exitCode }: Outcome): Outcome {
  return { stdout: maskText(stdout), stderr: maskText(stderr), exitCode };
}

function maskText(text: string): string {
  return text
    .replaceAll(/\b[0-9a-f]{64}\b/g, "<id>")
    .replaceAll(/\b(?=[0-9a-f]*\d)[0-9a-f]{12}\b/g, "<short id>")
    .replaceAll(/\bdocker\b/g, "tsbox")
    .replaceAll(new RegExp(` +${age} ago +`, "g"), " <age> ")
    .replaceAll(new RegExp(`${age} ago`, "g"), "<age>")
    .replaceAll(new RegExp(`Up ${age} *`, "g"), "Up <age> ")
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "<time>")
    .replaceAll(/\bCREATED +/g, "CREATED ")
    .replaceAll(/\bSTATUS +/g, "STATUS ")
    .replaceAll(/\bport is already allocated.*/g, "<port taken>")
    .replaceAll(/^\d+ +(?=\S)/gm, "<pid> ");
}
