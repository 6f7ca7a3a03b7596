import assert from "node:assert/strict";
import { test } from "node:test";
import { indentJson } from "./json.ts";

test("JSON is set out as JSON.stringify does it", () => {
  const value = [{ a: [], b: {}, c: [1, -2.5e3, null, true], "d:{": 'x"y\\', e: { f: "" } }, "[,]"];
  assert.equal(indentJson(JSON.stringify(value)), JSON.stringify(value, null, 4));
  assert.equal(indentJson(JSON.stringify(value, null, 1)), JSON.stringify(value, null, 4));
});

test("large integers and the order of keys stay as they were", () => {
  assert.equal(indentJson('{"2":9223372036854771712,"1":0}'), '{\n    "2": 9223372036854771712,\n    "1": 0\n}');
});
