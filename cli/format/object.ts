/** `--format` for commands that show one object: a template, "json", or null for the command's own layout. */
import { CliError } from "../errors.ts";
import { compileTemplate } from "./template.ts";
import { TemplateError } from "./template-parse.ts";

/** One line. Throws CliError for a template that is none, or does not fit. */
export function formatObject(value: unknown, format: string): string {
  return `${objectFormat(format)(value)}\n`;
}

export function objectFormat(format: string): (value: unknown) => string {
  if (format === "json") return (value) => JSON.stringify(value);
  // Docker's codes: 64 (EX_USAGE) for what is no template, 1 for one that does not fit the object.
  const template = attempt(64, () => compileTemplate(format));
  return (value) => attempt(1, () => template.render(value));
}

function attempt<T>(exitCode: number, act: () => T): T {
  try {
    return act();
  } catch (thrown) {
    if (thrown instanceof TemplateError) throw new CliError(`template parsing error: ${thrown.message}`, exitCode);
    throw thrown;
  }
}
