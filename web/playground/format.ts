/** Numbers as people read them. */

const units = ["B", "kB", "MB", "GB", "TB"] as const;

/** "4.21 MB": three significant digits, powers of a thousand, as Docker prints sizes. */
export function formatBytes(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${Number(value.toPrecision(3))} ${units[unit]}`;
}

export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
