import assert from "node:assert/strict";
import { test } from "node:test";
import { idleLogOptions, rotationOf } from "./log-options.ts";

test("sizes are in powers of a thousand, one file is the default", () => {
  assert.equal(rotationOf({}), null);
  assert.deepEqual(rotationOf({ "max-size": "10k" }), { maxBytes: 10_000, maxFiles: 1 });
  assert.deepEqual(rotationOf({ "max-size": "1.5m", "max-file": "3" }), { maxBytes: 1_500_000, maxFiles: 3 });
  assert.deepEqual(rotationOf({ "max-size": "2GiB" }), { maxBytes: 2_000_000_000, maxFiles: 1 });
});

test("what makes no sense is refused in docker's words", () => {
  const refused = (options: Record<string, string>, message: RegExp): void =>
    assert.throws(() => rotationOf(options), { code: "invalid", message });
  refused({ "max-sise": "1m" }, /^unknown log opt 'max-sise' for json-file log driver$/);
  refused({ "max-size": "much" }, /invalid size: 'much'/);
  refused({ "max-size": "0" }, /max-size must be a positive number/);
  refused({ "max-size": "1m", "max-file": "0" }, /max-file cannot be less than 1/);
  refused({ "max-size": "1m", "max-file": "100000" }, /max-file cannot be more than 1000/);
  refused({ "max-file": "3" }, /max-file needs max-size/);
});

test("options that docker has and that do nothing here are named", () => {
  assert.deepEqual(idleLogOptions({ "max-size": "1m", tag: "x", compress: "true" }), ["tag", "compress"]);
});
