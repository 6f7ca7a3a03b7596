/** Completion by Tab: commands where a command stands, variables after "$", else files. */
import { listDirectory } from "../applet.ts";
import { Errno } from "../../../../core/base/errno.ts";
import type { Sys } from "../../kernel/sys.ts";
import { builtins, specials } from "./builtins.ts";
import type { Completion } from "./line-editor.ts";
import type { Shell } from "./shell.ts";

export async function complete(shell: Shell, before: string): Promise<Completion> {
  const word = /[^\s;&|()<>"'`=]*$/.exec(before)?.[0] ?? "";
  const from = before.length - word.length;
  const isCommand = /(?:^|[;&|(`]|\b(?:then|do|else|if|while|until|exec|time)\s)\s*$/.test(before.slice(0, from));
  if (word.startsWith("$")) return { from, words: variables(shell, word) };
  if (isCommand && !word.includes("/")) return { from, words: await commands(shell, word) };
  return { from, words: await files(shell.sys, word, isCommand) };
}

function variables(shell: Shell, word: string): string[] {
  const names = shell.variables.list(() => true).map(([name]) => `$${name}`);
  return names.filter((name) => name.startsWith(word));
}

async function commands(shell: Shell, word: string): Promise<string[]> {
  const names = new Set([...builtins.keys(), ...specials.keys(), ...shell.functions.keys(), ...shell.aliases.keys()]);
  for (const directory of (shell.variables.get("PATH") ?? "").split(":")) {
    for (const { name } of await entries(shell.sys, directory === "" ? "." : directory)) names.add(name);
  }
  return [...names].filter((name) => name.startsWith(word)).sort();
}

async function files(sys: Sys, word: string, onlyPrograms: boolean): Promise<string[]> {
  const slash = word.lastIndexOf("/") + 1;
  const [directory, start] = [word.slice(0, slash), word.slice(slash)];
  const listed = await entries(sys, directory === "" ? "." : directory);
  const fitting = listed.filter(
    ({ name }) => name.startsWith(start) && (start.startsWith(".") || !name.startsWith(".")),
  );
  return fitting.flatMap(({ name }) => named(sys, directory + name, onlyPrograms));
}

function named(sys: Sys, path: string, onlyPrograms: boolean): string[] {
  try {
    const { kind, mode } = sys.stat(path);
    if (kind === "directory") return [`${path}/`];
    return onlyPrograms && (mode & 0o111) === 0 ? [] : [path];
  } catch (thrown) {
    if (thrown instanceof Errno) return onlyPrograms ? [] : [path];
    throw thrown;
  }
}

async function entries(sys: Sys, directory: string): Promise<ReturnType<Sys["list"]>> {
  try {
    return await listDirectory(sys, directory);
  } catch (thrown) {
    if (thrown instanceof Errno) return [];
    throw thrown;
  }
}
