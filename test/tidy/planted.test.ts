/** The checks catch what they are for: violations planted here, and innocent neighbours that must pass. */
import assert from "node:assert/strict";
import test from "node:test";
import { checkBans, checkName, checkOpening } from "./bans.ts";
import { checkLinks, checkNamedFiles } from "./documents.ts";
import { checkFunctions } from "./functions.ts";
import { checkImports } from "./imports.ts";
import type { Complaint, Source } from "./source.ts";

function texts(check: (source: Source) => Complaint[], path: string, text: string): string[] {
  return check({ path, text }).map((complaint) => complaint.text);
}

test("an import against the order of core is refused with the order", () => {
  assert.deepEqual(texts(checkImports, "core/unionfs/x.ts", 'import { compile } from "../runtime/compile.ts";'), [
    "imports ../runtime/compile.ts: unionfs comes before runtime; data flows unionfs → image → runtime",
  ]);
});

test("imports are seen in every form", () => {
  const forms = [
    'import type { Machine } from "../engine/machine.ts";',
    'export { x } from "../engine/machine.ts";',
    'export * from "../engine/machine.ts";',
    'const x = import("../engine/machine.ts");',
    'import "../engine/machine.ts";',
  ];
  for (const form of forms) assert.equal(texts(checkImports, "core/image/x.ts", form).length, 1, form);
});

test("walls between rooms hold and doors are open", () => {
  const cases: [string, string, boolean][] = [
    ["core/base/x.ts", "node:fs", false],
    ["core/runtime/x.ts", "../base/assert.ts", true],
    ["api/x.ts", "../backends/linux/machine.ts", false],
    ["api/x.ts", "hono/router/linear-router", true],
    ["api/x.ts", "node:http", false],
    ["cli/x.ts", "../core/engine/engine.ts", false],
    ["cli/x.ts", "../core/image/reference.ts", true],
    ["backends/linux/x.ts", "node:fs", true],
    ["backends/linux/x.ts", "../../core/container/record.ts", false],
    ["backends/sim/x.ts", "../linux/wire.ts", false],
    ["backends/sim/x.ts", "node:fs", false],
    ["bin/x.ts", "../web/playground/page.ts", false],
    ["core/engine/x.ts", "../../bin/tsboxd.ts", false],
    ["core/engine/x.ts", "lit", false],
    ["attic/x.ts", "../core/base/assert.ts", false],
  ];
  for (const [path, name, allowed] of cases) {
    const complaints = texts(checkImports, path, `import "${name}";`);
    assert.equal(complaints.length === 0, allowed, `${path} importing ${name}: ${complaints.join("; ")}`);
  }
});

test("banned words are found where they are banned, and only there", () => {
  const cases: [string, string, boolean][] = [
    ["core/base/x.ts", "const now = Date.now();", false],
    ["core/base/x.ts", "return new Date();", false],
    ["core/base/x.ts", "return new Date(seconds);", true],
    ["bin/x.ts", "const now = Date.now();", true],
    ["backends/sim/x.ts", "Math.random()", false],
    ["core/base/x.ts", "// TO" + "DO later", false],
    ["README.md", "see /ho" + "me/somebody/notes", false],
    ["package-lock.json", '      "resolved": "https://registry.example/x.tgz"', false],
    ["core/base/x.ts", "const now = Date.now(); // tidy-ignore: an example", true],
  ];
  for (const [path, line, allowed] of cases)
    assert.equal(texts(checkBans, path, line).length === 0, allowed, `${path}: ${line}`);
});

test("graveyards and shouting are refused as file names", () => {
  for (const path of ["core/base/utils.ts", "cli/types.ts", "core/base/Errors.ts"]) {
    assert.equal(texts(checkName, path, "").length, 1, path);
  }
  assert.deepEqual(texts(checkName, "core/base/assert.ts", ""), []);
});

test("a file without opening comment is refused", () => {
  assert.equal(texts(checkOpening, "core/base/x.ts", "export const x = 1;\n").length, 1);
  assert.deepEqual(texts(checkOpening, "bin/x.js", "#!/usr/bin/env node\n// What it is.\n"), []);
});

test("a function over the limit is refused by its name", () => {
  const body = "  f();\n".repeat(80);
  assert.deepEqual(texts(checkFunctions, "core/base/x.ts", `export function long(): void {\n${body}}\n`), [
    "long has 82 lines, more than 60: split it where it changes subject",
  ]);
  assert.deepEqual(texts(checkFunctions, "core/base/x.ts", `const long = () => {\n${body}};\n`), [
    "long has 82 lines, more than 60: split it where it changes subject",
  ]);
});

test("dead links and things that do not exist are found in documents", () => {
  assert.equal(
    texts(checkLinks, "README.md", "[a](docs/nowhere.md) [b](package.json) [c](https://example.org)").length,
    1,
  );
  const named =
    "`core/base/assert.ts` `core/base/nothing.ts` `core/base/assert.ts:unreachable` `core/base/assert.ts:gone`";
  assert.equal(texts(checkNamedFiles, "README.md", named).length, 2);
});
