/** A file tree's entries under other names, as `docker cp` gives a thing the name it is asked for under. */
import type { Entry, TreePath } from "../unionfs/change.ts";

/** The thing's own path, "", becomes `name`. "." is no name but says "what is in it"; "/" says so without a "./" in front. */
export function namedEntries(entries: AsyncIterable<Entry>, name: string): AsyncGenerator<Entry, void, undefined> {
  return mapped(entries, (path) => {
    if (name === "/" || (name === "." && path === "")) return path;
    return (path === "" ? name : `${name}/${path}`) as TreePath;
  });
}

/** What is `from`, or beneath it, is `to`, or beneath that; "." is where all begins. */
export function movedEntries(
  entries: AsyncIterable<Entry>,
  { from, to }: { readonly from: string; readonly to: string },
): AsyncGenerator<Entry, void, undefined> {
  const top = from === "." ? "" : from;
  return mapped(entries, (path) => {
    if (path === top) return to as TreePath;
    if (top === "") return `${to}/${path}` as TreePath;
    return path.startsWith(`${top}/`) ? (`${to}${path.slice(top.length)}` as TreePath) : path;
  });
}

async function* mapped(
  entries: AsyncIterable<Entry>,
  put: (path: TreePath) => TreePath,
): AsyncGenerator<Entry, void, undefined> {
  for await (const entry of entries)
    yield entry.kind === "hardlink"
      ? { ...entry, path: put(entry.path), target: put(entry.target) }
      : { ...entry, path: put(entry.path) };
}
