import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryPorts } from "../engine/testing/memory-ports.ts";
import { makeUpName, parseName } from "./names.ts";

test("names: docker's grammar, and made-up ones follow it and are free", () => {
  for (const name of ["ab", "/web", "a.b_c-d", "0x"]) assert.equal(parseName(name), name.replace("/", ""));
  for (const name of ["", "a", "/", "-ab", "a b", "a/b", "ä1"])
    assert.throws(() => parseName(name), { code: "invalid", message: /^Invalid container name \(/ });
  const taken = new Set<string>();
  const { random } = memoryPorts();
  for (let count = 0; count < 500; count++) taken.add(parseName(makeUpName(random, (name) => taken.has(name))));
  assert.equal(taken.size, 500);
  assert.match([...taken][0] ?? "", /^[a-z]+_[a-z]+$/);
});
