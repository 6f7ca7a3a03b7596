/** What is told of an image on its way to or from a registry, as it goes. */
import type { Digest } from "../image/digest.ts";

export type Transfer =
  /** A line of its own; `id` names what it is about: a tag. */
  | { readonly kind: "status"; readonly status: string; readonly id?: string }
  /** Of one layer; bytes when it moves. */
  | {
      readonly kind: "layer";
      /** The first 12 digits of its digest. */
      readonly id: string;
      readonly status: string;
      readonly bytes?: { readonly current: number; readonly total: number };
    }
  /** What a push has made. */
  | { readonly kind: "pushed"; readonly tag: string; readonly digest: Digest; readonly size: number };

/** The id under which a layer is told of. */
export function shortDigest(digest: Digest): string {
  return digest.slice("sha256:".length, "sha256:".length + 12);
}

const told = 512 * 1024;

/** Tells of every half mebibyte, and of the end. */
export function paced(total: number, tell: (current: number) => void): (current: number) => void {
  let last = 0;
  return (current) => {
    if (current - last < told && current < total) return;
    last = current;
    tell(current);
  };
}

/** Does the work for each item, `width` of them at a time; after a failure no new one is begun, and it is thrown. */
export async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (const item of rest) await work(item);
  };
  const ended = await Promise.allSettled(Array.from({ length: Math.min(width, items.length) }, worker));
  for (const end of ended) if (end.status === "rejected") throw end.reason;
}
