/** Sizes for people: "1.5K", "20M", as busybox's -h prints them. */
const units = ["", "K", "M", "G", "T", "P", "E"];

/** One decimal; a plain number below a kilobyte. */
export function humanSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  if (unit === 0) return String(bytes);
  const tenths = Math.round(value * 10);
  if (tenths >= 10240) return `1.0${units[unit + 1] ?? ""}`;
  return `${(tenths / 10).toFixed(1)}${units[unit]}`;
}
