/**
 * A terminal joined to a container's (or an exec's) streams: keys and bytes go in, output comes
 * out, the window's size and signals are passed on. What was changed on the terminal is undone
 * whatever happens.
 */
import type { ByteStream } from "../core/base/bytes.ts";
import type { Client } from "./client.ts";
import { DetachWatch } from "./detach-keys.ts";
import type { Duplex, Terminal } from "./ports.ts";
import { copyOutput } from "./stream.ts";

export interface Session {
  readonly terminal: Terminal;
  readonly duplex: Duplex;
  /** The program has a pty: output is raw, keys are sent unread. */
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly detachKeys: string;
}

/** How a session ended: the output's end, or the detach keys. */
export type Ending = "ended" | "detached";

/** Begins at once; the promise settles at the output's end. */
export async function attach(session: Session): Promise<Ending> {
  const { terminal, duplex, tty, stdin } = session;
  const watch = new DetachWatch(session.detachKeys);
  const restore = tty && stdin && terminal.stdinIsTty ? terminal.raw() : null;
  try {
    if (stdin) sendInput(tty ? watch.watch(terminal.stdin) : terminal.stdin, duplex);
    await copyOutput(duplex.output, terminal, tty);
  } finally {
    restore?.();
    duplex.close();
  }
  if (!watch.detached) return "ended";
  await terminal.stderr("read escape sequence\n");
  return "detached";
}

/** Joined to a container while its program is being started. A start that fails is what is thrown. */
export async function attachStarting(
  session: Session,
  { client, id, started }: { client: Client; id: string; started: Promise<unknown> },
): Promise<Ending> {
  const { terminal, duplex, tty } = session;
  const ending = attach(session);
  // It may fail before anybody waits for it.
  ending.catch(() => {});
  await started.catch(async (thrown: unknown) => {
    duplex.close();
    await ending.catch(() => {});
    throw thrown;
  });
  const stopSize = tty ? followSize(terminal, (h, w) => client.post(`/containers/${id}/resize`, { h, w })) : null;
  return ending.finally(stopSize ?? undefined);
}

/** Goes on beside the output; that the program no longer reads is no failure of ours. */
function sendInput(input: ByteStream, duplex: Duplex): void {
  const send = async (): Promise<void> => {
    for await (const chunk of input) await duplex.write(chunk);
    duplex.end();
  };
  send().catch(() => duplex.end());
}

/** Tells the other side the window's size now and whenever it changes. Returns what stops that. */
export function followSize(
  terminal: Terminal,
  resize: (rows: number, columns: number) => Promise<unknown>,
): () => void {
  const tell = (): void => {
    const size = terminal.size();
    // The process may not be there yet, or not any more: the next change tells again.
    if (size !== null) resize(size.rows, size.columns).catch(() => undefined);
  };
  tell();
  return terminal.onResize(tell);
}

/** Passes our signals on to a container. Returns what stops that. */
export function proxySignals(terminal: Terminal, kill: (signal: string) => Promise<unknown>): () => void {
  return terminal.onSignal((name) => {
    // It has ended meanwhile: the exit code is on its way.
    kill(name.replace(/^SIG/, "")).catch(() => undefined);
  });
}
