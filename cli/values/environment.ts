/** Environment variables and labels: from flags, from files, from our own environment. */
import { readAll } from "../../core/base/bytes.ts";
import { CliError } from "../errors.ts";
import type { CliPorts, Files } from "../ports.ts";

/** For `-e`: a name must be there. */
export function checkVariable(text: string): string {
  if (text.split("=", 1)[0] === "") throw new Error(`invalid environment variable: ${text}`);
  return text;
}

/** For `--label`. */
export function checkLabel(text: string): string {
  if (text.split("=", 1)[0] === "") throw new Error(`invalid label '${text}': empty name`);
  return text;
}

/** "a=b" and "a" to a map; a later one wins. */
export function toMap(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(pairs.map(splitPair));
}

export function splitPair(pair: string): [key: string, value: string] {
  const at = pair.indexOf("=");
  return at < 0 ? [pair, ""] : [pair.slice(0, at), pair.slice(at + 1)];
}

/** Files first, then `-e`. A name alone takes our own value, and is left out when we have none. */
export async function gatherEnvironment(
  variables: readonly string[],
  paths: readonly string[],
  ports: Pick<CliPorts, "files" | "environment">,
): Promise<string[]> {
  const fromFiles: string[] = [];
  for (const path of paths) fromFiles.push(...(await readEnvironmentFile(ports.files, path)));
  return [...fromFiles, ...variables].flatMap((variable) => {
    if (variable.includes("=")) return [variable];
    const own = ports.environment[variable];
    return own === undefined ? [] : [`${variable}=${own}`];
  });
}

async function readEnvironmentFile(files: Files, path: string): Promise<string[]> {
  if (!(await files.exists(path))) throw new CliError(`open ${path}: no such file or directory`, 125);
  const text = new TextDecoder().decode(await readAll(files.read(path), 16 * 1024 * 1024));
  return text
    .replace(/^\ufeff/, "")
    .split(/\r?\n/)
    .map((line) => line.trimStart())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => checkLine(line, path));
}

function checkLine(line: string, path: string): string {
  const name = line.split("=", 1)[0] ?? "";
  if (name === "") throw new CliError(`invalid env file (${path}): no variable name on line '${line}'`, 125);
  if (/\s/.test(name)) throw new CliError(`invalid env file (${path}): variable '${name}' contains whitespaces`, 125);
  return line;
}
