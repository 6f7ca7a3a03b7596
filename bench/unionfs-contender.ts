/**
 * One contender of the bench `unionfs`, in a process of its own: `contender.ts NAME FILES LAYERS SCRATCH`.
 * It makes its tree, says so, and then performs a turn of an operation for every message.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import {
  fill,
  type FileTree,
  loadPeers,
  memfs,
  memfsCopying,
  nodeLike,
  ours,
  type Shape,
  unionfs,
  zenfs,
} from "./file-trees.ts";
import { batch, operations, timed } from "./unionfs-operations.ts";

export interface Turn {
  readonly row: string;
  readonly round: number;
}

const [name = "", files, layers, scratch = ""] = process.argv.slice(2);
const shape: Shape = { files: Number(files), layers: Number(layers) };
const tree = await contender();
/** Some take a hundred times as long as others. */
const count = name === "zenfs" ? 2 : name === "unionfs" && shape.layers > 1 ? 20 : batch;
const known = new Map(operations(shape).map((operation) => [operation.row, operation]));

process.on("message", ({ row, round }: Turn) => {
  const operation = known.get(row);
  if (operation === undefined) throw new Error(`there is no operation ${row}`);
  process.send?.(timed(tree, operation, round, count));
});
process.send?.("ready");

async function contender(): Promise<FileTree> {
  if (name === "tsbox") return ours(shape);
  if (name === "node:fs") return onTmpfs();
  const peers = await loadPeers(join(scratch, "peers"));
  if (name === "memfs") return memfs(peers, shape);
  if (name === "memfs, copying") return memfsCopying(peers, shape);
  if (name === "unionfs") return unionfs(peers, shape);
  return zenfs(peers, shape);
}

function onTmpfs(): FileTree {
  const at = join(scratch, "tree");
  fs.rmSync(at, { recursive: true, force: true });
  fs.mkdirSync(at);
  fill(fs, { ...shape, layers: 1 }, 0, at);
  return nodeLike("node:fs", fs, at);
}
