/**
 * A pull's or push's progress as Docker streams it: JSON messages, each ended by "\r\n" (moby:
 * pkg/jsonmessage, pkg/streamformatter). `progress` repeats progressDetail as a bar, for clients that
 * only print.
 */
import { encodeText } from "../../core/base/bytes.ts";
import { messageOf } from "../../core/base/error.ts";
import type { Transfer } from "../../core/engine/transfer.ts";

/** An error after the first message is a message too. */
export async function* transferLines(transfers: AsyncIterable<Transfer>): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const transfer of transfers) yield line(messageFor(transfer));
  } catch (thrown) {
    const message = messageOf(thrown);
    yield line({ errorDetail: { message }, error: message });
  }
}

function line(message: object): Uint8Array {
  return encodeText(`${JSON.stringify(message)}\r\n`);
}

function messageFor(transfer: Transfer): object {
  switch (transfer.kind) {
    case "status": {
      const { status, id } = transfer;
      return { status, ...(id === undefined ? {} : { id }) };
    }
    case "layer": {
      const { status, id, bytes } = transfer;
      if (bytes === undefined) return { status, progressDetail: {}, id };
      return { status, progressDetail: bytes, progress: bar(bytes.current, bytes.total), id };
    }
    case "pushed":
      return { progressDetail: {}, aux: { Tag: transfer.tag, Digest: transfer.digest, Size: transfer.size } };
  }
}

const width = 50;

function bar(current: number, total: number): string {
  const filled = Math.min(width, total === 0 ? width : Math.floor(((current / total) * 100) / 2));
  const numbers = current > total ? amount(current) : `${amount(current)}/${size(total)}`;
  return `[${"=".repeat(filled)}>${" ".repeat(width - filled)}] ${numbers}`;
}

function amount(bytes: number): string {
  return size(bytes).padStart(8);
}

/** go-units' HumanSize: four digits, base 1000. */
function size(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let rest = bytes;
  let at = 0;
  for (; rest >= 1000 && at < units.length - 1; at++) rest /= 1000;
  return `${Number(rest.toPrecision(4))}${units[at] ?? ""}`;
}
