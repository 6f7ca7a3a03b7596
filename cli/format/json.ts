/**
 * JSON text set out over lines, as the daemon wrote it: parsing and printing again would reorder
 * keys that look like numbers and round integers beyond 2^53.
 */
export function indentJson(text: string, unit = "    ", depth = 0): string {
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  let level = depth;
  let out = "";
  for (const [at, token] of tokens.entries()) {
    if (token === "}" || token === "]") {
      level--;
      if (!opens(tokens[at - 1])) out += newline(unit, level);
      out += token;
    } else if (opens(token)) {
      level++;
      out += token;
      if (!closes(tokens[at + 1])) out += newline(unit, level);
    } else if (token === ",") out += `,${newline(unit, level)}`;
    else out += token === ":" ? ": " : token;
  }
  return out;
}

function opens(token: string | undefined): boolean {
  return token === "{" || token === "[";
}

function closes(token: string | undefined): boolean {
  return token === "}" || token === "]";
}

function newline(unit: string, level: number): string {
  return `\n${unit.repeat(level)}`;
}
