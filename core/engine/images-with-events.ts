/** The images as the engine's callers see them: the store, and an event for everything that changes it. */
import type { ByteStream } from "../base/bytes.ts";
import { TsboxError } from "../base/error.ts";
import type { Image } from "../image/image.ts";
import type { Images } from "./engine.ts";
import type { EventLog } from "./event-log.ts";

export function withEvents(store: Images, events: EventLog): Images {
  return {
    async *load(tar) {
      for await (const loaded of store.load(tar)) {
        events.emit("image", "load", loaded.image.id, { name: loaded.names[0] ?? loaded.image.id });
        yield loaded;
      }
    },
    list: () => store.list(),
    get: (ref) => store.get(ref),
    async tag(ref, name) {
      await store.tag(ref, name);
      const { id } = await store.get(name);
      events.emit("image", "tag", id, { name });
    },
    async remove(ref, options) {
      const removed = await store.remove(ref, options);
      for (const { untagged, deleted } of removed) {
        if (untagged !== undefined) events.emit("image", "untag", untagged, { name: untagged });
        if (deleted !== undefined) events.emit("image", "delete", deleted, { name: deleted });
      }
      return removed;
    },
  };
}

/** Finds an image, and loads it first when it is one that comes with tsbox ("hello"). */
export function imageFinder(
  images: Images,
  embedded: (name: string) => ByteStream | null,
): (ref: string) => Promise<Image> {
  return async (ref) => {
    try {
      return await images.get(ref);
    } catch (error) {
      if (!(error instanceof TsboxError && error.code === "not-found")) throw error;
      if (!(await loadEmbedded(images, embedded, ref))) throw error;
      return images.get(ref);
    }
  };
}

async function loadEmbedded(
  images: Images,
  embedded: (name: string) => ByteStream | null,
  ref: string,
): Promise<boolean> {
  const [, name] = /^(?:docker\.io\/)?(?:library\/)?([a-z0-9._-]+)(?::latest)?$/.exec(ref) ?? [];
  const tar = name === undefined ? null : embedded(name);
  if (tar === null) return false;
  let loaded = false;
  for await (const _ of images.load(tar)) loaded = true;
  return loaded;
}
