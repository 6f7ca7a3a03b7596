import assert from "node:assert/strict";
import test from "node:test";
import { pageSizes } from "../../bench/page-sizes.ts";

test("what a browser loads before the first prompt stays within its budget", () => {
  const sizes = pageSizes();
  assert.ok(sizes !== null, "the page was not built: npm run build");
  for (const { part, bytes, bytesMax } of sizes) assert.ok(bytes <= bytesMax, `${part}: ${bytes} bytes of ${bytesMax}`);
});
