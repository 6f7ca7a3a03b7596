/** Asks before something is removed. */
import type { Terminal } from "./ports.ts";

/** Whether the user answered with y. An end of the input is a no. */
export async function confirmed(what: string, terminal: Terminal): Promise<boolean> {
  await terminal.stdout(`${what}\nAre you sure you want to continue? [y/N] `);
  const decoder = new TextDecoder();
  let answer = "";
  for await (const chunk of terminal.stdin) {
    answer += decoder.decode(chunk, { stream: true });
    if (answer.includes("\n")) break;
  }
  return answer.trim().toLowerCase() === "y";
}
