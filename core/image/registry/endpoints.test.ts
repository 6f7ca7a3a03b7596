import assert from "node:assert/strict";
import test from "node:test";
import { encodeText } from "../../base/bytes.ts";
import { defaultRegistryConfig, endpointsOf, isLocalOnly, mayBeInsecure, parseRegistryConfig } from "./endpoints.ts";

const bases = (domain: string, config = defaultRegistryConfig) => endpointsOf(domain, config).map(({ base }) => base);

test("docker.io lives at another host, and its mirrors come before it", () => {
  const config = { ...defaultRegistryConfig, mirrors: ["https://mirror.example/", "http://10.1.2.3:5000"] };
  assert.deepEqual(bases("docker.io"), ["https://registry-1.docker.io"]);
  assert.deepEqual(bases("docker.io", config), [
    "https://mirror.example",
    "http://10.1.2.3:5000",
    "https://registry-1.docker.io",
  ]);
  assert.deepEqual(bases("quay.io", config), ["https://quay.io"]);
  assert.deepEqual(bases("quay.io", { ...config, mirrorsOf: { "quay.io": ["https://m.example"] } }), [
    "https://m.example",
    "https://quay.io",
  ]);
});

test("plain HTTP is for loopback and for what is called insecure, after TLS", () => {
  const config = { ...defaultRegistryConfig, insecure: ["plain.example", "10.0.0.0/8", "other.example:5000"] };
  for (const host of ["localhost:5000", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000"])
    assert.deepEqual(bases(host), [`https://${host}`, `http://${host}`]);
  for (const host of ["plain.example:80", "10.200.3.4:5000", "other.example:5000"])
    assert.equal(mayBeInsecure(host, config), true, host);
  for (const host of ["registry.example", "11.0.0.1", "other.example:5001", "127.0.0.1.example.org"])
    assert.equal(mayBeInsecure(host, config), false, host);
});

test("addresses of this machine and its link are known in each of their forms", () => {
  for (const url of [
    "http://127.0.0.1",
    "http://2130706433",
    "http://0x7f.1",
    "http://[::1]",
    "http://169.254.169.254",
    "http://[::ffff:127.0.0.1]",
    "http://localhost",
    "http://a.localhost",
    "http://[fe80::1]",
    "http://0.0.0.0",
  ])
    assert.equal(isLocalOnly(new URL(url).hostname), true, url);
  for (const url of ["http://example.org", "http://128.0.0.1", "http://[2001:db8::1]"])
    assert.equal(isLocalOnly(new URL(url).hostname), false, url);
});

test("the configuration is daemon.json's, and what is wrong in it is named", () => {
  const parse = (value: unknown) => parseRegistryConfig(encodeText(JSON.stringify(value)), "daemon.json");
  assert.deepEqual(parse({ "log-level": "debug" }), defaultRegistryConfig);
  assert.deepEqual(
    parse({
      "registry-mirrors": ["https://m.example"],
      "insecure-registries": ["10.0.0.0/8"],
      "max-concurrent-downloads": 7,
      registries: { "quay.io": { mirrors: ["https://q.example/cache"] } },
    }),
    {
      ...defaultRegistryConfig,
      mirrors: ["https://m.example"],
      insecure: ["10.0.0.0/8"],
      downloadsMax: 7,
      mirrorsOf: { "quay.io": ["https://q.example/cache"] },
    },
  );
  const wrong: [value: unknown, message: RegExp][] = [
    [[], /daemon\.json is not an object/],
    [{ "registry-mirrors": "https://m" }, /"registry-mirrors" is not a list of texts/],
    [{ "registry-mirrors": ["m.example"] }, /"m\.example" is not a mirror's URL/],
    [{ "max-concurrent-uploads": 0 }, /"max-concurrent-uploads" is 0, expected a number above 0/],
  ];
  for (const [value, message] of wrong) assert.throws(() => parse(value), message);
});
