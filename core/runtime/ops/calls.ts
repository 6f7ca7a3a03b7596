/** System calls as strace(1) shows them, and the little words of explanations. */
import type { SystemCall } from "./row.ts";

export function call(name: string, ...args: readonly string[]): SystemCall {
  return { name, text: `${name}(${args.join(", ")})` };
}

export function prepared(byMonitor: boolean, ...calls: readonly SystemCall[]): readonly SystemCall[] {
  return byMonitor ? calls.map((one) => ({ ...one, by: "monitor" })) : calls;
}

export function sometimes(when: string, { name, text }: SystemCall): SystemCall {
  return { name, text, when };
}

/** Every path in the container is looked up by the kernel as if the container's root were the only one. */
export function beneathRoot(path: string): SystemCall {
  return call("openat2", "root", quote(path), "RESOLVE_IN_ROOT");
}

export function quote(text: string): string {
  return JSON.stringify(text);
}

export function octal(mode: number): string {
  return `0${mode.toString(8)}`;
}

export function list(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1) ?? ""}`;
}

export function plural(word: string, things: readonly unknown[]): string {
  return things.length === 1 ? word : `${word}s`;
}
