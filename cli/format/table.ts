/**
 * Columns as Go's text/tabwriter lays them out for Docker: a column is as wide as its widest cell
 * and the padding, at least `minimum`; the last one is not padded.
 */
export interface Layout {
  readonly minimum: number;
  readonly padding: number;
}

export const dockerLayout: Layout = { minimum: 10, padding: 3 };

/** One line per row. */
export function tabular(rows: readonly (readonly string[])[], layout: Layout = dockerLayout): string {
  const count = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, at) => columnWidth(rows, at, layout));
  return rows.map((row) => `${row.map((cell, at) => padded(cell, at, row, widths)).join("")}\n`).join("");
}

function columnWidth(rows: readonly (readonly string[])[], at: number, { minimum, padding }: Layout): number {
  const widest = Math.max(0, ...rows.filter((row) => at < row.length - 1).map((row) => length(row[at] ?? "")));
  return Math.max(minimum, widest + padding);
}

function padded(cell: string, at: number, row: readonly string[], widths: readonly number[]): string {
  if (at === row.length - 1) return cell;
  return cell + " ".repeat(Math.max(0, (widths[at] ?? 0) - length(cell)));
}

function length(text: string): number {
  return [...text].length;
}
