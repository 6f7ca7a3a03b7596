import assert from "node:assert/strict";
import test from "node:test";
import { encodeText } from "../base/bytes.ts";
import { messageOf } from "../base/error.ts";
import { parseConfig } from "./config.ts";
import { type Descriptor, mediaTypes } from "./descriptor.ts";
import type { Digest } from "./digest.ts";
import { formatIndex, parseIndex } from "./index.ts";
import { formatManifest, parseManifest } from "./manifest.ts";
import { choose, fits, formatPlatform, matches, parsePlatform, platformOf } from "./platform.ts";

const digest = (digit: string): Digest => `sha256:${digit.repeat(64)}` as Digest;
const json = (value: unknown): Uint8Array => encodeText(JSON.stringify(value));
const rootfs = { type: "layers", diff_ids: [digest("a")] };

test("a configuration says what a container takes over", () => {
  const config = {
    User: "1000:1000",
    Env: ["A=1"],
    Entrypoint: ["/entry"],
    Cmd: null,
    WorkingDir: "/work",
    Volumes: { "/data": {} },
    ExposedPorts: { "80/tcp": {} },
    Labels: { a: "b" },
    StopSignal: "SIGINT",
    OnBuild: ["RUN make"],
    Healthcheck: { Test: ["CMD", "true"], Interval: 5_000_000_000 },
  };
  const whole = {
    architecture: "arm64",
    variant: "v8",
    os: "linux",
    created: "2024-01-01T00:00:00Z",
    author: "me",
    config,
    rootfs,
  };
  assert.deepEqual(parseConfig(json(whole), "config"), {
    platform: { os: "linux", architecture: "arm64", variant: "v8" },
    created: "2024-01-01T00:00:00Z",
    author: "me",
    comment: "",
    diffIds: [digest("a")],
    history: [],
    defaults: {
      user: "1000:1000",
      env: ["A=1"],
      entrypoint: ["/entry"],
      cmd: null,
      workingDir: "/work",
      volumes: ["/data"],
      exposedPorts: ["80/tcp"],
      labels: { a: "b" },
      stopSignal: "SIGINT",
      onBuild: ["RUN make"],
      healthcheck: { Test: ["CMD", "true"], Interval: 5_000_000_000 },
    },
  });
});

test("a configuration may leave out all but its layers", () => {
  const { platform, defaults } = parseConfig(json({ rootfs, config: null }), "config");
  assert.deepEqual(
    [platform, defaults.env, defaults.cmd, defaults.stopSignal],
    [{ os: "linux", architecture: "", variant: "" }, [], null, null],
  );
});

test("a manifest and an index are read as they are written", () => {
  const config: Descriptor = { mediaType: mediaTypes.config, digest: digest("1"), size: 10 };
  const layers: Descriptor[] = [{ mediaType: mediaTypes.layerGzip, digest: digest("2"), size: 20 }];
  assert.deepEqual(parseManifest(formatManifest({ config, layers }), "manifest"), { config, layers });
  const platform = { os: "linux", architecture: "arm64", variant: "v8" };
  const manifests: Descriptor[] = [
    { mediaType: mediaTypes.manifest, digest: digest("3"), size: 30, platform, annotations: { a: "b" } },
  ];
  assert.deepEqual(
    parseIndex(formatIndex(manifests), "index").map(({ descriptor }) => descriptor),
    manifests,
  );
});

test("a manifest that is something else says what", () => {
  const config = { mediaType: mediaTypes.config, digest: digest("1"), size: 10 };
  const refusal = (value: unknown): string => {
    try {
      parseManifest(json(value), "manifest");
      return "accepted";
    } catch (thrown) {
      return messageOf(thrown);
    }
  };
  assert.deepEqual(
    [
      { schemaVersion: 2, mediaType: mediaTypes.index, config, layers: [] },
      { schemaVersion: 2, config: { ...config, mediaType: "application/vnd.cncf.helm.config.v1+json" }, layers: [] },
      { schemaVersion: 2, config: { ...config, size: -1 }, layers: [] },
      { schemaVersion: 2, config: { ...config, size: 1.5 }, layers: [] },
      { schemaVersion: 2, config, layers: {} },
      { schemaVersion: 2, mediaType: {}, config, layers: [] },
    ].map(refusal),
    [
      `manifest: mediaType "${mediaTypes.index}" is not an image manifest's`,
      'manifest: its config is "application/vnd.cncf.helm.config.v1+json", not an image configuration',
      "manifest: config: size -1 is not a number of bytes",
      "manifest: config: size 1.5 is not a number of bytes",
      "manifest: layers is not a list",
      "manifest: mediaType is not a text",
    ],
  );
});

test("platforms are written in many ways and compared by what they mean", () => {
  const texts = [
    "linux/amd64",
    "amd64",
    "linux/x86_64",
    "linux/arm64/v8",
    "linux/aarch64",
    "wasi/wasm",
    "a/b/c/d",
    "",
    "linux/",
    "LINUX/AMD64",
    "linux",
    "aarch64",
    "nonsense",
  ];
  assert.deepEqual(
    texts.map((text) => {
      const platform = parsePlatform(text);
      return platform && formatPlatform(platform);
    }),
    [
      "linux/amd64",
      "linux/amd64",
      "linux/amd64",
      "linux/arm64/v8",
      "linux/arm64",
      "wasi/wasm",
      null,
      null,
      null,
      "linux/amd64",
      "linux/amd64",
      "linux/arm64",
      null,
    ],
  );
  const arm = { os: "linux", architecture: "arm64", variant: "" };
  assert.deepEqual(
    [
      matches(arm, { ...arm, variant: "v8" }),
      matches(arm, { ...arm, variant: "v9" }),
      matches(arm, { ...arm, os: "wasi" }),
    ],
    [true, false, false],
  );
});

test("of several manifests the one of the same variant is chosen, else one of the same architecture", () => {
  const of = (architecture: string, variant?: string): Descriptor => ({
    mediaType: mediaTypes.manifest,
    digest: digest("1"),
    size: 1,
    platform: { os: "linux", architecture, ...(variant === undefined ? {} : { variant }) },
  });
  const wanted = { os: "linux", architecture: "arm", variant: "v7" };
  const list = [of("amd64"), of("arm", "v6"), of("arm", "v7")];
  assert.deepEqual(
    [choose(list, wanted), choose(list.slice(0, 2), wanted), choose(list.slice(0, 1), wanted)].map(
      (found) => found?.platform ?? null,
    ),
    [list[2]?.platform, list[1]?.platform, null],
  );
});

test("wasi/wasm is taken where nothing else fits, or by its place in the list, or not at all", () => {
  const of = (name: string): Descriptor => {
    const platform = parsePlatform(name);
    assert.ok(platform !== null);
    return { mediaType: mediaTypes.manifest, digest: digest("0"), size: 1, platform };
  };
  const [wasm, linux, other] = [of("wasi/wasm"), of("linux/amd64"), of("linux/s390x")];
  const taken = (list: readonly Descriptor[]): (Descriptor | null)[] =>
    ([undefined, "last", "as listed"] as const).map((wasi) => choose(list, platformOf("amd64", wasi)));
  assert.deepEqual(taken([wasm, linux]), [linux, linux, wasm]);
  assert.deepEqual(taken([linux, wasm]), [linux, linux, linux]);
  assert.deepEqual(taken([other, wasm]), [null, wasm, wasm]);
  assert.equal(fits(platformOf("amd64", "last"), { os: "wasi", architecture: "wasm", variant: "" }), true);
  assert.equal(fits(platformOf("amd64", undefined), { os: "wasi", architecture: "wasm", variant: "" }), false);
});
