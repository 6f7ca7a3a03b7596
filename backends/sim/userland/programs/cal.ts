/** cal: a month or a year as a calendar, Julian until September 1752. */
import { applet, UsageFailure } from "../applet.ts";
import { strftime } from "../calendar.ts";
import { countWithin, type Options, parseOptions } from "../options.ts";

const names = "January February March April May June July August September October November December".split(" ");
/** The 3rd to the 13th of September 1752 never were. */
const missing = { year: 1752, month: 9, first: 3, last: 13 };
const monthsAcross = 3;
/** A row without any day is a whole terminal's blanks. */
const blankColumns = 79;

const cal = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "jmy", operandsMax: 2 });
  const [a, b] = options.operands;
  const [thisYear = 1970, thisMonth = 1] = strftime("%Y %m", context.sys.now()).split(" ").map(Number);
  const year = a === undefined ? thisYear : countWithin(b ?? a, 1, 9999);
  if (options.has("y") && b !== undefined) throw new UsageFailure("");
  if (options.has("y") || (a !== undefined && b === undefined)) context.out.put(yearText(year, options));
  else {
    const month = a === undefined ? thisMonth : countWithin(a, 1, 12);
    const { width } = shapeOf(options);
    const rows = [center(`${names[month - 1]} ${year}`, width), title(options), ...weeksOf(year, month, options)];
    context.out.put(rows.map((row) => `${row.trim() === "" ? " ".repeat(width + 1) : row.trimEnd()}\n`).join(""));
  }
  return 0;
});

/** How wide a day's column and a month are. */
function shapeOf(options: Options): { readonly column: number; readonly width: number } {
  const column = options.has("j") ? 3 : 2;
  return { column, width: 7 * (column + 1) - 1 };
}

function center(text: string, width: number): string {
  return `${" ".repeat(Math.floor((width - text.length) / 2))}${text}`;
}

function title(options: Options): string {
  const days = ["Su", "Mo", "Tu", "We", "Th", "Fr", "Sa"];
  if (options.has("m")) days.push(days.shift() ?? "");
  return days.map((day) => day.padStart(shapeOf(options).column)).join(" ");
}

function isLeap(year: number): boolean {
  return year % 4 === 0 && (year <= missing.year || year % 100 !== 0 || year % 400 === 0);
}

function lengthOf(year: number, month: number): number {
  return month === 2 ? (isLeap(year) ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31;
}

/** Days since the first of January of year 1, a Saturday. */
function dayNumber(year: number, month: number, day: number): number {
  const before = year - 1;
  const leaps =
    Math.floor(before / 4) - (year > missing.year ? Math.floor(before / 100) - 17 - Math.floor(before / 400) + 4 : 0);
  let days = before * 365 + leaps + day - 1;
  for (let each = 1; each < month; each++) days += lengthOf(year, each);
  const isAfter =
    year > missing.year ||
    (year === missing.year && (month > missing.month || (month === missing.month && day > missing.last)));
  return isAfter ? days - (missing.last - missing.first + 1) : days;
}

/** Six rows of seven days. */
function weeksOf(year: number, month: number, options: Options): string[] {
  const { column } = shapeOf(options);
  const firstWeekday = (dayNumber(year, month, 1) + 6 + (options.has("m") ? 6 : 0)) % 7;
  const cells = Array.from({ length: firstWeekday }, () => " ".repeat(column));
  for (let day = 1; day <= lengthOf(year, month); day++) {
    if (year === missing.year && month === missing.month && day >= missing.first && day <= missing.last) continue;
    const shown = options.has("j") ? dayNumber(year, month, day) - dayNumber(year, 1, 1) + 1 : day;
    cells.push(String(shown).padStart(column));
  }
  while (cells.length < 42) cells.push(" ".repeat(column));
  return Array.from({ length: 6 }, (_, week) => cells.slice(week * 7, week * 7 + 7).join(" "));
}

function yearText(year: number, options: Options): string {
  const { width } = shapeOf(options);
  const across = options.has("j") ? 2 : monthsAcross;
  const lines = [center(String(year), width * across + 2 * (across - 1)).padEnd(width * across + 2 * (across - 1)), ""];
  for (let month = 1; month <= 12; month += across) {
    const several = Array.from({ length: across }, (_, index) => month + index);
    const row = (texts: readonly string[]): string => texts.map((text) => text.padEnd(width)).join("  ");
    lines.push(
      row(several.map((each) => center(names[each - 1] ?? "", width))),
      row(several.map(() => title(options))),
    );
    const weeks = several.map((each) => weeksOf(year, each, options));
    for (let week = 0; week < 6; week++)
      lines.push(row(weeks.map((all) => all[week] ?? "")).trimEnd() || " ".repeat(blankColumns));
  }
  return lines.map((line) => `${line}\n`).join("");
}

export const programs = { cal };
