/** Inspecting: objects are looked up one by one, what was found is printed, what was not is said after it. */
import { indentJson } from "./format/json.ts";
import { objectFormat } from "./format/object.ts";
import type { Terminal } from "./ports.ts";

/** Prints all that `find` finds and returns the exit code. `find` throws for what there is not. */
export async function printInspection(
  names: readonly string[],
  format: string,
  terminal: Terminal,
  find: (name: string) => Promise<string>,
): Promise<number> {
  const found: string[] = [];
  const problems: string[] = [];
  const show = format === "" ? null : objectFormat(format);
  for (const name of names) {
    try {
      found.push(await find(name));
    } catch (thrown) {
      problems.push(thrown instanceof Error ? thrown.message : String(thrown));
    }
  }
  if (show === null) await terminal.stdout(`${indentJson(`[${found.join(",")}]`)}\n`);
  else for (const text of found) await printFormatted(terminal, show, text);
  if (show !== null && found.length === 0) await terminal.stdout("\n");
  if (problems.length > 0) await terminal.stderr(`${problems.join("\n")}\n`);
  return problems.length > 0 ? 1 : 0;
}

/** As Docker does, the line's end is there even when the template failed. */
async function printFormatted(terminal: Terminal, show: (value: unknown) => string, text: string): Promise<void> {
  let line = "";
  try {
    line = show(JSON.parse(text));
  } finally {
    await terminal.stdout(`${line}\n`);
  }
}
