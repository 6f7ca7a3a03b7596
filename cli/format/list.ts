/**
 * How `ps`, `images` and their like print: a table with Docker's headers, `--format` with a
 * template for each row, `--format "table …"`, `--format json`, or ids alone.
 */
import { CliError } from "../errors.ts";
import { tabular } from "./table.ts";
import { compileTemplate, type Template } from "./template.ts";
import { TemplateError } from "./template-parse.ts";

/** A row: each column's text by its name in templates. */
export type Row = Readonly<Record<string, string>>;

export interface List {
  /** The name of a column in templates, and its heading. */
  readonly headings: Readonly<Record<string, string>>;
  /** The columns of the table that is printed when nothing else was asked. */
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
  /** Docker's word for a row in messages: "*formatter.ContainerContext". */
  readonly type: string;
}

/** Throws CliError for a template that is none. */
export function formatList(list: List, format: string): string {
  const { headings, columns, rows } = list;
  if (format === "" || format === "table") {
    const cells = (row: Row): string[] => columns.map((column) => row[column] ?? "");
    return tabular([cells(headings), ...rows.map(cells)]);
  }
  if (format === "json") return rows.map((row) => `${JSON.stringify(sorted(row))}\n`).join("");
  const asTable = /^table\s+/.test(format);
  const template = compiled(format.replace(/^table\s+/, ""), list);
  const header = rendered(template, headings);
  const lines = rows.map((row) => rendered(template, row));
  if (!asTable) return lines.map((line) => `${line}\n`).join("");
  return tabular([header, ...lines].map((line) => line.split("\t")));
}

/** What a user writes as \t and \n in a shell's quotes is meant. */
function compiled(format: string, { type }: List): Template {
  const source = format.replaceAll("\\t", "\t").replaceAll("\\n", "\n");
  try {
    return compileTemplate(source, (field) => `can't evaluate field ${field} in type ${type}`);
  } catch (thrown) {
    if (thrown instanceof TemplateError) throw new CliError(`failed to parse template: ${thrown.message}`);
    throw thrown;
  }
}

function rendered(template: Template, row: Row): string {
  try {
    return template.render(row);
  } catch (thrown) {
    if (thrown instanceof TemplateError) throw new CliError(`failed to execute template: ${thrown.message}`);
    throw thrown;
  }
}

function sorted(row: Row): Row {
  return Object.fromEntries(Object.entries(row).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
