/**
 * Shows a stream of progress messages as Docker's clients do (moby: pkg/jsonmessage): on a terminal
 * each id has a line of its own that changes in place; elsewhere every message that is news is a line.
 */
import { jsonLines } from "./client.ts";
import { CliError } from "./errors.ts";
import type { ApiResponse, Terminal } from "./ports.ts";

export interface Message {
  readonly status?: string;
  readonly id?: string;
  readonly progress?: string;
  readonly stream?: string;
  readonly aux?: unknown;
  readonly error?: string;
}

type Write = (text: string) => Promise<void>;

/** `onAux` is told what a message has besides words. Throws CliError for a message that is an error. */
export async function showProgress(
  { body }: ApiResponse,
  { stdoutIsTty, stdout }: Terminal,
  onAux: (aux: unknown) => void = () => {},
): Promise<void> {
  const show = stdoutIsTty ? inPlace(stdout) : asLines(stdout);
  for await (const line of jsonLines(body)) {
    const message = line as Message;
    if (message.error !== undefined) throw new CliError(message.error);
    if (message.aux !== undefined) onAux(message.aux);
    else await show(message);
  }
}

/** Reads the stream for its errors only. */
export async function awaitEnd({ body }: ApiResponse): Promise<void> {
  for await (const line of jsonLines(body)) {
    const { error } = line as Message;
    if (error !== undefined) throw new CliError(error);
  }
}

function textOf({ id, status = "", stream, progress }: Message): string {
  if (stream !== undefined) return stream;
  return `${id === undefined ? "" : `${id}: `}${status}${progress === undefined ? "" : ` ${progress}`}`;
}

/** What moves is not told line by line. */
function asLines(write: Write): (message: Message) => Promise<void> {
  return async (message) => {
    if (message.progress === undefined) await write(`${textOf(message)}${message.stream === undefined ? "\n" : ""}`);
  };
}

function inPlace(write: Write): (message: Message) => Promise<void> {
  const lines = new Map<string, number>();
  return async (message) => {
    const { id, stream } = message;
    if (id === undefined || stream !== undefined) {
      lines.clear();
      await write(stream ?? `${textOf(message)}\n`);
      return;
    }
    const known = lines.get(id);
    if (known === undefined) {
      lines.set(id, lines.size);
      await write(`${textOf(message)}\n`);
      return;
    }
    const up = lines.size - known;
    await write(`\u001b[${up}A\u001b[2K\r${textOf(message)}\u001b[${up}B\r`);
  };
}
