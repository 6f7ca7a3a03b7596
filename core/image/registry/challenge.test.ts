import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { parseChallenges } from "./challenge.ts";

test("a challenge is a scheme and its parameters, quoted or not", () => {
  const cases: [header: string, challenges: object[]][] = [
    ["", []],
    ["Basic", [{ scheme: "basic", parameters: {} }]],
    ['Basic realm="a b"', [{ scheme: "basic", parameters: { realm: "a b" } }]],
    [
      'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push"',
      [
        {
          scheme: "bearer",
          parameters: {
            realm: "https://auth.example/token",
            service: "registry.example",
            scope: "repository:a/b:pull,push",
          },
        },
      ],
    ],
    [
      'Basic realm="x", Bearer realm="y" , error=invalid_token',
      [
        { scheme: "basic", parameters: { realm: "x" } },
        { scheme: "bearer", parameters: { realm: "y", error: "invalid_token" } },
      ],
    ],
    ['Basic realm="say \\"hi\\", twice"', [{ scheme: "basic", parameters: { realm: 'say "hi", twice' } }]],
    ['BASIC REALM = "x"', [{ scheme: "basic", parameters: { realm: "x" } }]],
    [
      'Negotiate YII=, Basic realm="x"',
      [
        { scheme: "negotiate", parameters: {} },
        { scheme: "basic", parameters: { realm: "x" } },
      ],
    ],
    [", ,Basic realm=x", [{ scheme: "basic", parameters: { realm: "x" } }]],
    ['Basic realm="never ends', [{ scheme: "basic", parameters: {} }]],
  ];
  for (const [header, challenges] of cases)
    assert.deepEqual(parseChallenges(header).slice(0, challenges.length), challenges, header);
});

test("whatever a server says of its logins, it is read to an end", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), (header) => {
      for (const { scheme } of parseChallenges(header)) assert.equal(scheme, scheme.toLowerCase());
    }),
  );
});

test("parameters survive being quoted", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 50 }), (realm) => {
      const [challenge] = parseChallenges(`Basic realm="${realm.replace(/["\\]/g, "\\$&")}"`);
      assert.equal(challenge?.parameters["realm"], realm);
    }),
  );
});
