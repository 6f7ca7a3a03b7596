/**
 * The framing of a container's output without a terminal: before each piece a header of 8 bytes,
 * the stream's number (1 stdout, 2 stderr, 3 the daemon's own error), three zeros and the length
 * as a big-endian u32 (Docker Engine API, ContainerAttach). With a terminal the bytes are raw.
 */
import { type ByteStream, concat } from "../core/base/bytes.ts";
import { CliError } from "./errors.ts";
import type { Terminal } from "./ports.ts";

const headerSize = 8;

/** Copies output to the terminal until its end. */
export async function copyOutput(output: ByteStream, terminal: Terminal, raw: boolean): Promise<void> {
  if (!raw) return demultiplex(output, terminal);
  for await (const chunk of output) await terminal.stdout(chunk);
}

async function demultiplex(output: ByteStream, terminal: Terminal): Promise<void> {
  let held: Uint8Array = new Uint8Array(0);
  for await (const chunk of output) {
    held = held.length === 0 ? chunk : concat([held, chunk]);
    held = await writeFrames(held, terminal);
  }
}

/** Writes the whole frames at the start and returns what is left. */
async function writeFrames(bytes: Uint8Array, terminal: Terminal): Promise<Uint8Array> {
  let at = 0;
  while (bytes.length - at >= headerSize) {
    const end = at + headerSize + new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(4);
    if (end > bytes.length) break;
    await writeFrame(bytes[at] ?? 0, bytes.subarray(at + headerSize, end), terminal);
    at = end;
  }
  return bytes.subarray(at);
}

async function writeFrame(stream: number, payload: Uint8Array, terminal: Terminal): Promise<void> {
  if (stream === 1 || stream === 0) return terminal.stdout(payload);
  if (stream === 2) return terminal.stderr(payload);
  if (stream === 3) throw new CliError(`error from daemon in stream: ${new TextDecoder().decode(payload)}`);
  throw new CliError(`the daemon sent a frame of an unknown stream: ${stream}`);
}
