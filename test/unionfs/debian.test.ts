/** A real layer, Debian's minbase: through our tree and out again it is the same, to us and to GNU tar. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { scratch } from "../../backends/linux/testing/scratch.ts";
import { concat, streamOf } from "../../core/base/bytes.ts";
import { changesOfTar, tarOfChanges } from "../../core/image/layer.ts";
import { applyChanges, changesOf } from "../../core/unionfs/apply.ts";
import type { Change } from "../../core/unionfs/change.ts";
import { checkTree } from "../../core/unionfs/check.ts";
import type { Branch } from "../../core/unionfs/marks.ts";
import { Tree } from "../../core/unionfs/tree.ts";
import { debianTar, imagesMissing, isMade } from "../images/make.ts";

const skip =
  process.getuid?.() !== 0
    ? "unpacks owners and devices: needs root"
    : isMade("debian.tar")
      ? (imagesMissing() ?? false)
      : "Debian's image is not made yet";

async function told(changes: AsyncIterable<Change>): Promise<string[]> {
  const lines: string[] = [];
  for await (const change of changes) {
    const meta =
      "meta" in change ? { ...change.meta, mtime: String(change.meta.mtime), xattrs: [...change.meta.xattrs] } : {};
    const hash = createHash("sha256");
    if (change.kind === "file") for await (const chunk of change.content) hash.update(chunk);
    const { kind, path } = change;
    const target = "target" in change ? change.target : "";
    const device = "major" in change ? [change.major, change.minor] : [];
    lines.push(JSON.stringify([path, kind, meta, target, device, hash.digest("hex")]));
  }
  return lines.toSorted();
}

async function packed(branch: Branch): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of tarOfChanges(changesOf(branch))) chunks.push(chunk);
  return concat(chunks);
}

/** What GNU tar makes of an archive, line by line. */
function unpackedByTar(directory: string, archive: string): string[] {
  mkdirSync(directory);
  execFileSync("tar", ["-xpf", archive, "-C", directory, "--numeric-owner", "--xattrs", "--xattrs-include=*"]);
  const list = execFileSync("find", [".", "-mindepth", "1", "-printf", "%P %y %m %U %G %n %T@ %l\\n"], {
    cwd: directory,
  });
  const sums = execFileSync("sh", ["-c", "find . -type f -print0 | xargs -0 sha256sum"], {
    cwd: directory,
    maxBuffer: 1 << 26,
  });
  return [...list.toString().split("\n"), ...sums.toString().split("\n")].toSorted();
}

test("Debian's layer comes out as it went in", { skip }, async () => {
  const work = scratch("debian");
  try {
    execFileSync("tar", ["-xf", await debianTar(), "-C", work]);
    const manifest = JSON.parse(readFileSync(join(work, "manifest.json"), "utf8")) as [{ Layers: [string] }];
    const theirs = join(work, manifest[0].Layers[0]);
    const bytes = readFileSync(theirs);
    const tree = new Tree(() => 0n);
    const branch = { tree, root: tree.root };
    await applyChanges(branch, changesOfTar(streamOf(bytes), "Debian"));
    assert.deepEqual(checkTree(tree, { mayHaveWhiteout: () => true }), []);
    const again = await packed(branch);
    assert.ok(
      Buffer.from(again.buffer).equals(Buffer.from((await packed(branch)).buffer)),
      "the same tree, the same tar",
    );
    const [before, after] = [
      await told(changesOfTar(streamOf(bytes), "Debian")),
      await told(changesOfTar(streamOf(again), "ours")),
    ];
    assert.deepEqual(after, withoutRoot(before));
    const ours = join(work, "ours.tar");
    writeFileSync(ours, again);
    assert.deepEqual(unpackedByTar(join(work, "a"), ours), unpackedByTar(join(work, "b"), theirs));
  } finally {
    rmSync(work, { recursive: true });
  }
});

/** The root itself is no entry of a packed tree. */
function withoutRoot(lines: readonly string[]): string[] {
  return lines.filter((line) => !line.startsWith('["",'));
}
