/** What a container wrote: the differences of its read-write layer from its image (moby: daemon/changes.go). */
import type { Difference } from "../unionfs/diff.ts";
import type { Context } from "./context.ts";
import type { Live } from "./live.ts";
import { lowersOf } from "./plan-for.ts";

/** Sorted by path; a running container may be asked too. */
export function diff({ machine }: Context, { record }: Live): Promise<Difference[]> {
  return machine.layers.differences(record.id, lowersOf(record));
}
