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
  /** Docker tries some templates before it asks for rows, and tells what is wrong in other words (docker/cli: ps). */
  readonly tried?: boolean;
}

/** Throws CliError for a template that is none. */
export function formatList(list: List, format: string): string {
  const { headings, columns, rows } = list;
  if (format === "" || format === "table") {
    const cells = (row: Row): string[] => columns.map((column) => row[column] ?? "");
    return tabular([cells(headings), ...rows.map(cells)]);
  }
  if (format === "json") return rows.map((row) => `${rowJson(row)}\n`).join("");
  const asTable = /^table\s+/.test(format);
  const template = compiled(format.replace(/^table\s+/, ""), list);
  const header = asTable || list.tried === true ? rendered(template, headings, list) : "";
  const lines = rows.map((row) => rendered(template, row, list));
  if (!asTable) return lines.map((line) => `${line}\n`).join("");
  return tabular([header, ...lines].map((line) => line.split("\t")));
}

/** As Go writes it: the keys sorted, and characters of HTML by their numbers. */
function rowJson(row: object): string {
  const sorted = Object.entries(row).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(Object.fromEntries(sorted)).replace(
    /[<>&]/g,
    (char) => `\\u00${char.charCodeAt(0).toString(16)}`,
  );
}

/** What a user writes as \t and \n in a shell's quotes is meant. */
function compiled(format: string, { type, tried = false }: List): Template {
  const source = format.replaceAll("\\t", "\t").replaceAll("\\n", "\n");
  const missing = (field: string): string => `can't evaluate field ${field} in type ${type}`;
  return attempt(tried ? "failed to parse template" : "template parsing error", () =>
    compileTemplate(source, { missing, json: rowJson }),
  );
}

function rendered(template: Template, row: Row, { tried = false }: List): string {
  return attempt(tried ? "failed to execute template" : "template parsing error", () => template.render(row));
}

function attempt<T>(problem: string, work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof TemplateError) throw new CliError(`${problem}: ${thrown.message}`);
    throw thrown;
  }
}
