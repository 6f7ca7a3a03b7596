import assert from "node:assert/strict";
import test from "node:test";
import { interleave } from "./interleave.ts";
import { formatRow, judge } from "./row.ts";

// Benches take turns, leave out the first, and say plainly whether a goal is met.

test("contenders take turns and the first turn does not count", async () => {
  const order: string[] = [];
  const takes: Record<string, number[]> = { a: [99, 3, 1, 2], b: [99, 6, 5, 4] };
  const contender = (name: string) => ({
    name,
    once: async () => {
      order.push(name);
      return takes[name]?.shift() ?? 0;
    },
  });
  const times = await interleave([contender("a"), contender("b")], 3);
  assert.equal(order.join(""), "abababab");
  assert.deepEqual(Object.fromEntries(times), { a: { median: 2, minimum: 1 }, b: { median: 5, minimum: 4 } });
});

test("a goal is met, missed, or left open when the peer is not there", () => {
  const measured = { bench: "start", row: "run", unit: "ms", ours: 15, peers: { runc: 10 } } as const;
  const verdicts = [1.5, 1.4].map((atMost) => judge(measured, { peer: "runc", atMost }).met);
  assert.deepEqual([...verdicts, judge(measured, { peer: "podman", atMost: 1 }).met], [true, false, null]);
  assert.equal(
    formatRow(judge(measured, { peer: "runc", atMost: 1.4 })),
    "start, run: 15 ms; runc 10 ms; at most 1.4 × runc: 1.5 × (NOT MET)",
  );
});
