import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { staleParts } from "../../build.ts";
import { codeFile } from "../../bin/compiled-code.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

test("dist holds what the sources say: npm run build", () => {
  assert.deepEqual(staleParts(), []);
});

test("V8 takes the compiled code of every chunk with the flags that bin/tsbox gives it", () => {
  const chunks = readdirSync(join(root, "dist/tsbox")).filter((name) => name.endsWith(".cjs"));
  const [, flags = ""] = /^flags="(.*)"$/m.exec(readFileSync(join(root, "bin/tsbox"), "utf8")) ?? [];
  const script = `
    import { readFileSync } from "node:fs";
    import { chunkScript, codeFile } from ${JSON.stringify(pathToFileURL(join(root, "bin/compiled-code.ts")))};
    for (const chunk of process.argv.slice(1))
      if (chunkScript(chunk, readFileSync(codeFile(chunk))).cachedDataRejected) console.log(chunk);`;
  const paths = chunks.map((name) => join(root, "dist/tsbox", name));
  assert.ok(chunks.includes("main.cjs") && codeFile("main.cjs") === "main.cjs.code");
  const refused = execFileSync(
    process.execPath,
    [...flags.split(" "), "--input-type=module", "--eval", script, ...paths],
    { encoding: "utf8" },
  );
  assert.equal(refused, "");
});
