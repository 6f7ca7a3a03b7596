import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSignal, signalName } from "./signal.ts";

test("signals by name and number", () => {
  const table: [text: string, number: number][] = [
    ["SIGINT", 2],
    ["int", 2],
    ["9", 9],
    ["WINCH", 28],
    ["SIGRTMIN", 34],
    ["RTMIN+3", 37],
    ["RTMAX-1", 63],
  ];
  for (const [text, number] of table) assert.equal(parseSignal(text), number);
  for (let number = 1; number <= 31; number++) assert.equal(parseSignal(signalName(number)), number);
  for (const text of ["", "0", "65", "SIGNOSUCH", "RTMIN+99", "-1", "9.5"])
    assert.throws(() => parseSignal(text), { message: `invalid signal: ${text}` });
});
