import assert from "node:assert/strict";
import { test } from "node:test";
import type { HostPath } from "../base/brand.ts";
import { encodeText } from "../base/bytes.ts";
import { MemoryMachine } from "../engine/testing/memory-machine.ts";
import { memoryPorts } from "../engine/testing/memory-ports.ts";
import { checkVolumeName, openVolumes } from "./volumes.ts";

test("names: docker's grammar and words", () => {
  for (const name of ["ab", "a-b.c_d", "0123"]) checkVolumeName(name);
  for (const name of ["", ".ab", "a/b", "a b", "../x", "x".repeat(256)])
    assert.throws(() => checkVolumeName(name), {
      code: "invalid",
      message: /includes invalid characters for a local volume name/,
    });
  assert.throws(() => checkVolumeName("a"), { message: /^volume name is too short/ });
});

test("a volume outlives the engine with its labels; whoever asks for it twice at once gets one", async () => {
  const { disk } = new MemoryMachine();
  const ports = memoryPorts();
  const store = await openVolumes(disk, ports);
  const both = await Promise.all([store.make("data", { a: "1" }), store.make("data", {})]);
  assert.deepEqual(
    both.map(({ made }) => made),
    [true, false],
  );
  const { volume: anonymous } = await store.make(null, {});
  assert.match(anonymous.name, /^[0-9a-f]{64}$/);
  const again = await openVolumes(disk, ports);
  assert.deepEqual(again.list(), store.list());
  assert.deepEqual(again.get("data")?.labels, { a: "1" });
});

test("a removal that a crash cut off is completed; data whose description is lost are kept", async () => {
  const { disk } = new MemoryMachine();
  const ports = memoryPorts();
  const root = `${disk.dataRoot}/volumes`;
  for (const name of [".gone", "kept", "torn"]) await disk.makeDirectory(`${root}/${name}/_data` as HostPath);
  await disk.writeAtomically(`${root}/torn/volume.json` as HostPath, encodeText(""));
  const store = await openVolumes(disk, ports);
  assert.deepEqual(
    store.list().map(({ name, path, anonymous }) => [name, path, anonymous]),
    [
      ["kept", `${root}/kept/_data`, false],
      ["torn", `${root}/torn/_data`, false],
    ],
  );
  await store.remove("torn");
  assert.deepEqual(await disk.list(root as HostPath), ["kept"]);
});
