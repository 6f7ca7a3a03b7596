import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Errno } from "../../../core/base/errno.ts";
import { addressOfReverseName, decodeMessage, encodeMessage, encodeName, type Message, reverseName } from "./dns.ts";
import { address } from "./testing/lab.ts";

const message: Message = {
  id: 7,
  isResponse: true,
  code: "NOERROR",
  question: { name: "web.example", type: "A" },
  answers: [
    { name: "web.example", ttl: 600, data: { type: "CNAME", target: "w1.example" } },
    { name: "w1.example", ttl: 600, data: { type: "A", address: address("172.18.0.2") } },
  ],
};

test("a message is the same after its way as bytes", () => {
  assert.deepEqual(decodeMessage(encodeMessage(message)), message);
});

test("a compressed name of another server is read", () => {
  const bytes = encodeMessage({ ...message, answers: [] });
  const answer = Uint8Array.of(0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 0, 0, 1);
  const whole = Uint8Array.from([...bytes, ...answer]);
  whole[7] = 1;
  assert.deepEqual(decodeMessage(whole).answers, [
    { name: "web.example", ttl: 9, data: { type: "A", address: address("10.0.0.1") } },
  ]);
});

test("whatever the bytes, decoding ends with a message or EINVAL", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(79), (bytes, at) => {
      const valid = encodeMessage(message);
      valid.set(bytes.subarray(0, Math.max(0, valid.length - at)), at);
      for (const candidate of [bytes, valid]) {
        try {
          decodeMessage(candidate);
        } catch (thrown) {
          assert.ok(thrown instanceof Errno && thrown.errno === "EINVAL");
        }
      }
    }),
    { seed: 5, numRuns: 2000 },
  );
});

test("names that no label can hold are refused", () => {
  for (const name of ["a..b", "x".repeat(64), `${"abcdefgh.".repeat(30)}x`])
    assert.throws(() => encodeName(name), { errno: "EINVAL" });
});

test("an address has a reverse name and back", () => {
  assert.equal(reverseName(address("172.17.0.2")), "2.0.17.172.in-addr.arpa");
  assert.equal(addressOfReverseName("2.0.17.172.in-addr.arpa"), address("172.17.0.2"));
  assert.equal(addressOfReverseName("example.org"), null);
});
