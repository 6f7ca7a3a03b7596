/** Documents say only what is there: their links lead somewhere, and the files they name exist. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { root, type Complaint, type Source } from "./source.ts";

/** Links to files: `[text](path#heading)`. */
export function checkLinks(source: Source): Complaint[] {
  if (!source.path.endsWith(".md")) return [];
  return eachLine(source, /\]\(([^)\s]+)\)/g, (target) => {
    if (/^(https?:|mailto:|#)/.test(target)) return null;
    const path = normalize(join(dirname(source.path), decodeURI(target.replace(/#.*/, ""))));
    return existsSync(join(root, path)) ? null : `links to ${target}, which does not exist`;
  });
}

/** Files in backquotes: `core/runtime/plan.ts`, also with one thing of it: `core/runtime/plan.ts` `compile` is not checked, `plan.ts:compile` is. */
export function checkNamedFiles(source: Source): Complaint[] {
  if (!source.path.endsWith(".md")) return [];
  return eachLine(source, /`((?:[\w.-]+\/)+[\w.-]+\.(?:ts|js|c|h|md|json))(?::([\w.]+))?`/g, (path, name) => {
    const file = [path, join(dirname(source.path), path)]
      .map((each) => join(root, each))
      .find((each) => existsSync(each));
    if (file === undefined) return path.startsWith("dist/") ? null : `names ${path}, which does not exist`;
    if (name === undefined) return null;
    const last = name.split(".").at(-1) ?? name;
    return new RegExp(`\\b${last}\\b`).test(readFileSync(file, "utf8"))
      ? null
      : `names ${name} of ${path}, which has no such thing`;
  });
}

function eachLine(source: Source, pattern: RegExp, judge: (...groups: string[]) => string | null): Complaint[] {
  return source.text.split("\n").flatMap((line, index) =>
    [...line.matchAll(pattern)].flatMap((match) => {
      const text = judge(...match.slice(1));
      return text === null ? [] : [{ file: source.path, line: index + 1, text }];
    }),
  );
}
