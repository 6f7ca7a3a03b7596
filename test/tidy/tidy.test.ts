/** The house rules as a test over every file of the checkout. */
import assert from "node:assert/strict";
import test from "node:test";
import { checkBans, checkName, checkOpening } from "./bans.ts";
import { checkLinks, checkNamedFiles } from "./documents.ts";
import { checkFunctions } from "./functions.ts";
import { checkImports } from "./imports.ts";
import { type Complaint, format, readSources, type Source } from "./source.ts";

const sources = readSources();
const isCode = (source: Source): boolean => /\.(ts|js)$/.test(source.path) && !source.path.endsWith(".d.ts");

function holds(
  name: string,
  check: (source: Source) => Complaint[],
  which: (source: Source) => boolean = () => true,
): void {
  test(name, () => {
    const complaints = sources.filter(which).flatMap(check);
    assert.ok(complaints.length === 0, `\n${format(complaints)}`);
  });
}

holds("each file imports only what its room may see", checkImports, isCode);
holds("nothing banned is written", checkBans);
holds("each file is named for what is in it", checkName);
holds("each file opens with what it is about", checkOpening);
holds("functions do not grow beyond the ratchet", checkFunctions, isCode);
holds("links in documents lead to files", checkLinks);
holds("files and things named in documents exist", checkNamedFiles);
