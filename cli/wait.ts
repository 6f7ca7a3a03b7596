/** Waiting for a container's end: the request is under way before the start, so that no end is missed. */
import { readAll } from "../core/base/bytes.ts";
import { type Client, segment } from "./client.ts";
import { CliError } from "./errors.ts";

export type WaitCondition = "not-running" | "next-exit" | "removed";

interface WaitAnswer {
  readonly StatusCode: number;
  readonly Error?: { readonly Message: string } | null;
}

/** Resolves when the daemon waits; what it resolves to gives the exit code. */
export async function whenOver(client: Client, id: string, condition: WaitCondition): Promise<() => Promise<number>> {
  const response = await client.open("POST", `/containers/${segment(id)}/wait`, { condition });
  const answer = readAll(response.body, 1 << 20);
  // A failed start is reported by the start itself.
  answer.catch(() => undefined);
  return async () => {
    const { StatusCode, Error: problem } = JSON.parse(new TextDecoder().decode(await answer)) as WaitAnswer;
    if (problem?.Message) throw new CliError(problem.Message, 125);
    return StatusCode;
  };
}
