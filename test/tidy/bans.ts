/** Words and names that do not belong, each with its reason. A line may opt out with `tidy-ignore: <reason>`. */
import { posix } from "node:path";
import type { Complaint, Source } from "./source.ts";

interface Ban {
  readonly pattern: RegExp;
  /** Which files it holds for. */
  readonly files: RegExp;
  readonly except?: RegExp;
  readonly why: string;
}

const typescript = /\.(ts|js)$/;
const deterministic = /^(core|backends\/sim|api|host)\/.*\.ts$/;
const tests = /\.test\.ts$|^test\//;

const bans: readonly Ban[] = [
  {
    pattern: /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b/,
    files: deterministic,
    except: /\.test\.ts$/,
    why: "time comes from the Clock port: the simulator's clock is virtual and replay must give the same",
  },
  {
    pattern: /\bMath\.random\b|\brandomUUID\b|\bgetRandomValues\b/,
    files: deterministic,
    except: /\.test\.ts$/,
    why: "chance comes from the Random port: the simulator's is seeded and replay must give the same",
  },
  {
    pattern: /\bsetTimeout\b|\bsetInterval\b/,
    files: deterministic,
    except: /\.test\.ts$/,
    why: "waiting goes through the Clock port",
  },
  { pattern: /@ts-(ignore|nocheck|expect-error)/, files: typescript, why: "a type error is solved, not hidden" },
  {
    pattern: /\b(TODO|FIXME|XXX|HACK)\b/,
    files: /./,
    why: "do it, or say what is missing in a sentence a user can read",
  },
  {
    pattern: /^\s*(export )?(const )?enum \w|^\s*namespace \w/,
    files: /\.ts$/,
    why: "Node runs these files by erasing types: no enums, no namespaces",
  },
  {
    pattern: /\/(work|home|Users|tmp\/brief)\/\w/,
    files: /./,
    except: /\.test\.ts$|^test\/(golden|.*\/recorded)\//,
    why: "a path of one person's machine means nothing on another",
  },
  {
    pattern: /"resolved": "|https?:\/\/[^"]*registry/,
    files: /^package-lock\.json$|^\.npmrc$/,
    why: "the lock file names no registry: each machine has its own",
  },
  { pattern: /console\.log\(/, files: /^(core|api|cli|backends)\//, except: tests, why: "output goes through a port" },
];

const names: readonly { readonly pattern: RegExp; readonly why: string }[] = [
  {
    pattern: /(^|\/)(utils?|helpers?|misc|common|types|constants|manager)\.ts$/,
    why: "a file is named for what it exports",
  },
  { pattern: /[A-Z].*\.ts$/, why: "file names are lower case with hyphens, on every file system the same" },
  { pattern: /\s/, why: "no blanks in file names" },
];

/** The Linux backend's helper is a program with that name. */
const namedSo = new Set(["backends/linux/helper.ts"]);

const own = /^test\/tidy\//;

export function checkBans(source: Source): Complaint[] {
  if (own.test(source.path)) return [];
  const applicable = bans.filter((ban) => ban.files.test(source.path) && !ban.except?.test(source.path));
  if (applicable.length === 0) return [];
  return source.text.split("\n").flatMap((line, index) =>
    applicable.flatMap((ban) => {
      const found = line.includes("tidy-ignore: ") ? null : ban.pattern.exec(line);
      return found === null ? [] : [{ file: source.path, line: index + 1, text: `${found[0].trim()}: ${ban.why}` }];
    }),
  );
}

export function checkName(source: Source): Complaint[] {
  if (namedSo.has(source.path)) return [];
  return names
    .filter(({ pattern }) => pattern.test(source.path))
    .map(({ why }) => ({ file: source.path, line: 1, text: `is badly named: ${why}` }));
}

/** A reader meets the model of a file before its code; the imports may stand before it. A test's names say it. */
export function checkOpening(source: Source): Complaint[] {
  if (!/\.(ts|js|c|h)$/.test(source.path) || source.path.endsWith(".test.ts")) return [];
  const beforeBody = /^#.*\n|^(import|export) ([^;]*? from )?"[^"]*";\n/gm;
  const body = source.text.replaceAll(beforeBody, "");
  // What a C file is about stands in the header of its name.
  if (source.path.endsWith(".c") && source.text.startsWith(`#include "${posix.basename(source.path, ".c")}.h"`))
    return [];
  if (/^\s*(\/\*|\/\/)/.test(body)) return [];
  return [{ file: source.path, line: 1, text: "has no opening comment: say in a few lines what it is about" }];
}
