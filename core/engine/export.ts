/** A container's files as one tar, without its mounts: what its image and it itself made (moby: daemon/export.go). */
import type { ByteStream } from "../base/bytes.ts";
import { Errno } from "../base/errno.ts";
import { TsboxError } from "../base/error.ts";
import { allow } from "../container/state.ts";
import { tarOfChanges } from "../image/layer.ts";
import type { Change } from "../unionfs/change.ts";
import { type Context, emit } from "./context.ts";
import type { Live } from "./live.ts";
import { lowersOf } from "./plan-for.ts";

/** Throws before the first byte when the container is being removed; a running one may be exported. */
export async function* exportFiles(context: Context, live: Live): AsyncGenerator<Uint8Array, void, undefined> {
  const { record } = live;
  allow("export", record);
  try {
    yield* tarOf(context.machine.layers.merged(record.id, lowersOf(record)));
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    const message = `cannot export container ${record.name}: ${thrown.message}`;
    throw new TsboxError("failed", message, { errno: thrown.errno, path: thrown.path }, { cause: thrown });
  }
  emit(context, live, "export");
}

/** As Docker's: the root itself is no entry. */
function tarOf(changes: AsyncIterable<Change>): ByteStream {
  return tarOfChanges(withoutRoot(changes));
}

async function* withoutRoot(changes: AsyncIterable<Change>): AsyncGenerator<Change, void, undefined> {
  for await (const change of changes) if (change.path !== "") yield change;
}
