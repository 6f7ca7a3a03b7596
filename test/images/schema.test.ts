import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import ajvDraft04 from "ajv-draft-04";
import { linuxPorts } from "../../backends/linux/ports.ts";
import { decodeBytes, encodeText, readAll, streamOf } from "../../core/base/bytes.ts";
import { messageOf } from "../../core/base/error.ts";
import { openImages } from "../../core/engine/images.ts";
import { MemoryMachine } from "../../core/engine/testing/memory-machine.ts";
import { parseConfig } from "../../core/image/config.ts";
import { mediaTypes } from "../../core/image/descriptor.ts";
import { checkLayout, parseIndex } from "../../core/image/index.ts";
import { parseManifest } from "../../core/image/manifest.ts";
import { readTar } from "../../core/image/tar.ts";
import { directory, dockerArchive, entry, layer, layerOf, layoutArchive } from "./forge.ts";

// The OCI image specification's own schemas: what we write is valid by them; of what they call valid we read all, and
// of what they call invalid we refuse all but what is listed with its reason.

type Kind = "config" | "image-manifest" | "image-index" | "image-layout";

// A module of the older kind: its class is the default of the default.
const ajv = new ajvDraft04.default({ strict: false, validateFormats: false });
for (const file of globSync(fileURLToPath(new URL("schema/*.json", import.meta.url)))) {
  const { id: _, ...schema } = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  ajv.addSchema(withoutIds(schema) as object, basename(file));
}

/** The schemas refer to each other by file name, and name themselves otherwise. */
function withoutIds(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutIds);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([key, inner]) => key !== "id" || typeof inner !== "string");
  return Object.fromEntries(kept.map(([key, inner]) => [key, withoutIds(inner)]));
}

function problems(kind: Kind, document: unknown): string[] {
  const validate = ajv.getSchema(`${kind}-schema.json`);
  assert.ok(validate !== undefined, kind);
  return validate(document) === true
    ? []
    : (validate.errors ?? []).map((each) => `${each.instancePath} ${each.message}`);
}

const readers: Readonly<Record<Kind, (bytes: Uint8Array) => unknown>> = {
  config: (bytes) => parseConfig(bytes, "config"),
  "image-manifest": (bytes) => parseManifest(bytes, "manifest"),
  "image-index": (bytes) => parseIndex(bytes, "index"),
  "image-layout": (bytes) => checkLayout(bytes),
};

function refusal(kind: Kind, document: unknown): string | null {
  try {
    readers[kind](encodeText(JSON.stringify(document)));
    return null;
  } catch (thrown) {
    return messageOf(thrown);
  }
}

test("every document that we write is valid by the schemas", async () => {
  const machine = new MemoryMachine();
  const images = await openImages({ disk: machine.disk, layers: machine.layers, ports: linuxPorts });
  const base = await layerOf(directory("bin/"), entry("bin/sh", "#!"));
  const gzip = layer((await layerOf(entry("large", "x".repeat(100_000)))).bytes, { gzip: true });
  for (const tar of [
    await dockerArchive({ names: ["a:1"], layers: [base] }),
    await layoutArchive({ names: ["docker.io/library/b:1"], layers: [base, gzip] }),
  ])
    for await (const _ of images.load(streamOf(tar)));
  const { names } = await images.import(streamOf(base.bytes), {
    name: "c:1",
    message: "m",
    changes: ["CMD sh", "EXPOSE 80/udp", "VOLUME /data", "LABEL a=b", "USER 1", "WORKDIR /w", 'ENTRYPOINT ["x"]'],
    platform: null,
  });
  const written: [Kind, string, unknown][] = [];
  const index = machine.world.files.get("/var/lib/tsbox/image/index.json");
  written.push(["image-index", "the store's index", JSON.parse(decodeBytes(index?.bytes ?? new Uint8Array()))]);
  for await (const { name, content } of readTar(await images.save(["a:1", "b:1", ...names]), "archive"))
    if (name === "index.json" || name === "oci-layout")
      written.push([
        name === "oci-layout" ? "image-layout" : "image-index",
        name,
        JSON.parse(decodeBytes(await readAll(content, 1e6))),
      ]);
  for (const ref of ["a:1", "b:1", "c:1"])
    for (const { kind, text } of (await images.explain(ref)).documents)
      if (kind !== "index")
        written.push([kind === "config" ? "config" : "image-manifest", `${ref} ${kind}`, JSON.parse(text)]);
  assert.deepEqual(
    written.map(([kind, what, document]) => [what, problems(kind, document)]),
    written.map(([, what]) => [what, []]),
  );
  assert.equal(written.length, 9);
});

const digest = `sha256:${"a".repeat(64)}`;
const config = { mediaType: mediaTypes.config, digest, size: 1 };
const layers = [{ mediaType: mediaTypes.layer, digest, size: 1 }];
const manifest = { schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers };
const listed = { mediaType: mediaTypes.manifest, digest, size: 1, platform: { os: "linux", architecture: "amd64" } };
const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [listed] };
const rootfs = { type: "layers", diff_ids: [digest] };
const image = { architecture: "amd64", os: "linux", rootfs };

const good: readonly (readonly [string, Kind, unknown])[] = [
  ["the least configuration", "config", image],
  [
    "a whole configuration",
    "config",
    {
      ...image,
      created: "2015-10-31T22:22:56.015925234Z",
      author: "a",
      variant: "v8",
      config: {
        User: "1:1",
        ExposedPorts: { "8080/tcp": {} },
        Env: ["A=1"],
        Entrypoint: ["/x"],
        Cmd: ["y"],
        Volumes: { "/v": {} },
        WorkingDir: "/",
        Labels: { a: "b" },
        StopSignal: "SIGKILL",
      },
      history: [
        { created: "2015-10-31T22:22:54.690851953Z", created_by: "x", empty_layer: true },
        { comment: "c", author: "a" },
      ],
    },
  ],
  ["a manifest", "image-manifest", manifest],
  [
    "a manifest with a subject, annotations and a kind",
    "image-manifest",
    { ...manifest, subject: listed, annotations: { a: "b" }, artifactType: "application/x" },
  ],
  ["a manifest without its own media type", "image-manifest", { schemaVersion: 2, config, layers }],
  ["an index", "image-index", index],
  [
    "an index with everything",
    "image-index",
    {
      ...index,
      annotations: { a: "" },
      manifests: [
        {
          ...listed,
          urls: ["https://x.example/y"],
          annotations: { a: "b" },
          platform: { ...listed.platform, variant: "v2", "os.version": "1", "os.features": ["f"] },
        },
      ],
    },
  ],
  ["an empty index", "image-index", { ...index, manifests: [] }],
  ["a layout", "image-layout", { imageLayoutVersion: "1.0.0" }],
];

for (const [name, kind, document] of good)
  test(`${name} is valid, and read`, () => {
    assert.deepEqual([problems(kind, document), refusal(kind, document)], [[], null]);
  });

/** `lenient`: why we read it all the same. */
const bad: readonly (readonly [string, Kind, unknown, lenient?: string])[] = [
  ["a configuration without rootfs", "config", { architecture: "amd64", os: "linux" }],
  ["a rootfs of another kind", "config", { ...image, rootfs: { ...rootfs, type: "layer" } }],
  ["variables that are a number", "config", { ...image, config: { Env: 7 } }],
  ["labels that are a list", "config", { ...image, config: { Labels: [1] } }],
  ["history that is a text", "config", { ...image, history: "x" }],
  [
    "a configuration without architecture",
    "config",
    { os: "linux", rootfs },
    "images of old tools lack it, and Docker runs them",
  ],
  ["a manifest of version 1", "image-manifest", { ...manifest, schemaVersion: 1 }],
  ["a manifest without configuration", "image-manifest", { schemaVersion: 2, layers }],
  ["a manifest without layers", "image-manifest", { schemaVersion: 2, config }],
  ["a size that is a text", "image-manifest", { ...manifest, config: { ...config, size: "1" } }],
  ["a size below zero", "image-manifest", { ...manifest, layers: [{ ...layers[0], size: -1 }] }],
  ["a digest without an algorithm", "image-manifest", { ...manifest, config: { ...config, digest: "a".repeat(64) } }],
  [
    "a digest that is a path",
    "image-manifest",
    { ...manifest, config: { ...config, digest: "sha256:../../../etc/passwd" } },
  ],
  ["annotations that are no texts", "image-manifest", { ...manifest, annotations: { a: 1 } }],
  ["a media type that is none", "image-manifest", { ...manifest, config: { ...config, mediaType: "x" } }],
  ["an index without manifests", "image-index", { schemaVersion: 2 }],
  ["manifests that are null", "image-index", { schemaVersion: 2, manifests: null }],
  [
    "a platform without architecture",
    "image-index",
    { ...index, manifests: [{ ...listed, platform: { os: "linux" } }] },
    "it only fits no machine",
  ],
  ["a layout of another version", "image-layout", { imageLayoutVersion: "2.0.0" }],
  ["a layout without version", "image-layout", {}],
];

for (const [name, kind, document, lenient] of bad)
  test(`${name} is not valid, and ${lenient === undefined ? "refused" : `read: ${lenient}`}`, () => {
    assert.notDeepEqual(problems(kind, document), []);
    assert.equal(refusal(kind, document) === null, lenient !== undefined);
  });
