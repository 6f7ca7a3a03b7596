/**
 * Shell patterns (glob(7)): `*`, `?`, `[…]` and a backslash that takes a character's meaning away.
 * One is made into a regular expression; quoted text enters a pattern through `escapePattern`.
 */
const classes: Readonly<Record<string, string>> = {
  alpha: "a-zA-Z",
  digit: "0-9",
  alnum: "a-zA-Z0-9",
  upper: "A-Z",
  lower: "a-z",
  space: " \\t\\n\\r\\f\\v",
  blank: " \\t",
  punct: "!-\\/:-@\\[-`{-~",
  xdigit: "0-9A-Fa-f",
  cntrl: "\\x00-\\x1f\\x7f",
  print: "\\x20-\\x7e",
  graph: "\\x21-\\x7e",
};

export function escapePattern(text: string): string {
  return text.replace(/[*?[\]\\!^-]/g, "\\$&");
}

/** Whether a pattern is more than its own text. */
export function hasWildcards(pattern: string): boolean {
  return /[*?[]/.test(pattern) && /(?:^|[^\\])(?:\\\\)*(?:[*?]|\[[^]*\])/.test(pattern);
}

/** The text of a pattern without wildcards. */
export function unescapePattern(pattern: string): string {
  return pattern.replace(/\\(.)/gs, "$1");
}

const compiled = new Map<string, RegExp>();
const compiledMax = 512;

/** The whole text has to match. */
export function matchesPattern(text: string, pattern: string): boolean {
  let regex = compiled.get(pattern);
  if (regex === undefined) {
    regex = new RegExp(`^(?:${patternSource(pattern)})$`, "su");
    if (compiled.size < compiledMax) compiled.set(pattern, regex);
  }
  return regex.test(text);
}

/** The source of the regular expression; `lazy` for the shortest match. */
export function patternSource(pattern: string, lazy = false): string {
  let source = "";
  for (let at = 0; at < pattern.length; ) {
    const char = pattern.charAt(at);
    const bracket = char === "[" ? bracketAt(pattern, at) : null;
    if (bracket !== null) {
      source += bracket.source;
      at = bracket.end;
      continue;
    }
    if (char === "*") source += lazy ? "[^]*?" : "[^]*";
    else if (char === "?") source += "[^]";
    else {
      const code = pattern.codePointAt(char === "\\" && at + 1 < pattern.length ? ++at : at) ?? 0;
      source += literal(String.fromCodePoint(code));
      at += code > 0xffff ? 1 : 0;
    }
    at++;
  }
  return source;
}

function literal(char: string): string {
  return char.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

interface Bracket {
  readonly source: string;
  readonly end: number;
}

/** A bracket expression; null when it does not close, which makes it ordinary text. */
function bracketAt(pattern: string, start: number): Bracket | null {
  let at = start + 1;
  const negated = pattern[at] === "!" || pattern[at] === "^";
  if (negated) at++;
  let inside = "";
  for (const first = at; at < pattern.length; ) {
    const named = /^\[:([a-z]+):\]/.exec(pattern.slice(at));
    if (named !== null) {
      inside += classes[named[1] ?? ""] ?? "";
      at += named[0].length;
      continue;
    }
    const char = pattern.charAt(at);
    if (char === "]" && at > first) return { source: closed(inside, negated), end: at + 1 };
    const escaped = char === "\\" && at + 1 < pattern.length;
    const isRange = char === "-" && at > first && pattern[at + 1] !== "]";
    inside += escaped ? member(pattern.charAt(++at)) : isRange ? "-" : member(char);
    at++;
  }
  return null;
}

function closed(inside: string, negated: boolean): string {
  if (inside === "") return negated ? "[^]" : "[]";
  return `[${negated ? "^" : ""}${inside}]`;
}

function member(char: string): string {
  return /[\\\][^-]/.test(char) ? `\\${char}` : char;
}
