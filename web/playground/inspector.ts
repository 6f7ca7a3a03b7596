/**
 * Images to look at, opened in a worker of their own: a huge or hostile one can exhaust or stall that
 * worker, and neither the page nor the terminal.
 */
import { expose } from "comlink";
import { TsboxError } from "../../core/base/error.ts";
import type { Hasher } from "../../core/base/ports.ts";
import type { Origin } from "../../core/unionfs/origin.ts";
import { wasmHasher } from "../../host/hasher.ts";
import { type InspectedImage, type OpenedImage, openArchive } from "../../host/inspect.ts";
import { chunksOf } from "./readable.ts";

export interface Inspector {
  /** The images of an archive; earlier ones are forgotten. Throws with the one sentence that says what is wrong. */
  open(archive: Blob): Promise<readonly InspectedImage[]>;
  /** The same for what is at a URL, of this origin or one that lets us read (CORS). */
  fetch(url: string): Promise<readonly InspectedImage[]>;
  /** The names in a directory of an image, as of its layers 0…`top`. */
  list(image: number, path: string, top: number): readonly Origin[];
}

let hasher: Promise<Hasher> | null = null;
let opened: readonly OpenedImage[] = [];

async function openStream(stream: AsyncIterable<Uint8Array>): Promise<readonly InspectedImage[]> {
  opened = [];
  hasher ??= wasmHasher();
  opened = await openArchive(stream, await hasher);
  return opened.map(({ image }) => image);
}

const pieceBytes = 4 * 1024 * 1024;

/** In larger pieces than a blob's own stream has, the next one being read while this one is looked at. */
async function* piecesOf(archive: Blob): AsyncGenerator<Uint8Array, void, undefined> {
  const read = (at: number): Promise<ArrayBuffer> => archive.slice(at, at + pieceBytes).arrayBuffer();
  let next = read(0);
  for (let at = 0; at < archive.size; at += pieceBytes) {
    const piece = await next;
    next = read(at + pieceBytes);
    yield new Uint8Array(piece);
  }
}

async function fetched(url: string): Promise<ReadableStream<Uint8Array>> {
  const response = await fetch(url, { credentials: "omit", referrerPolicy: "no-referrer" }).catch(() => {
    throw new TsboxError(
      "unavailable",
      `${url} cannot be read: nobody answers, or it does not let other pages read it (CORS)`,
    );
  });
  if (!response.ok || response.body === null)
    throw new TsboxError(
      "unavailable",
      `${url} cannot be read: the server answers ${response.status} ${response.statusText}`,
    );
  return response.body;
}

const inspector: Inspector = {
  open: (archive) => openStream(piecesOf(archive)),
  fetch: async (url) => openStream(chunksOf(await fetched(url))),
  list: (image, path, top) => opened[image]?.origins.list(path, top) ?? [],
};

expose(inspector);
