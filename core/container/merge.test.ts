import assert from "node:assert/strict";
import { test } from "node:test";
import type { ImageDefaults } from "../image/image.ts";
import { noConfig } from "../engine/testing/memory-images.ts";
import { commandOf, mergeConfig } from "./merge.ts";

const image: ImageDefaults = {
  user: "web",
  env: ["PATH=/bin", "LANG=C"],
  entrypoint: ["/entry"],
  cmd: ["serve"],
  workingDir: "/srv",
  volumes: ["/data"],
  exposedPorts: ["80/tcp"],
  labels: { a: "image", b: "image" },
  stopSignal: "SIGQUIT",
  onBuild: [],
  healthcheck: null,
};

test("where the user says nothing the image's word holds", () => {
  const { user, env, entrypoint, cmd, workingDir, volumes, exposedPorts, labels, stopSignal } = mergeConfig(
    noConfig,
    image,
  );
  const { onBuild: _, healthcheck: __, ...taken } = image;
  assert.deepEqual({ user, env, entrypoint, cmd, workingDir, volumes, exposedPorts, labels, stopSignal }, taken);
});

test("the user's word holds, variable by variable and label by label", () => {
  const asked = {
    ...noConfig,
    user: "1",
    env: ["LANG=de", "A=1", "UNSET"],
    labels: { b: "user" },
    workingDir: "/",
    stopSignal: "INT",
  };
  const { user, env, labels, workingDir, stopSignal } = mergeConfig(asked, image);
  assert.deepEqual(
    { user, env, labels, workingDir, stopSignal },
    {
      user: "1",
      env: ["LANG=de", "A=1", "UNSET", "PATH=/bin"],
      labels: { a: "image", b: "user" },
      workingDir: "/",
      stopSignal: "INT",
    },
  );
});

test("entrypoint and command: who replaces whom", () => {
  const table: [entrypoint: string[] | null, cmd: string[] | null, result: string[]][] = [
    [null, null, ["/entry", "serve"]],
    [null, [], ["/entry", "serve"]],
    [null, ["x", "y"], ["/entry", "x", "y"]],
    [["sh"], null, ["sh"]],
    [["sh"], ["-c"], ["sh", "-c"]],
    [[""], ["x"], ["x"]],
    [[], ["x"], ["x"]],
  ];
  for (const [entrypoint, cmd, result] of table)
    assert.deepEqual(commandOf(mergeConfig({ ...noConfig, entrypoint, cmd }, image)), result);
  const bare = { ...image, entrypoint: null, cmd: null };
  assert.throws(() => commandOf(mergeConfig(noConfig, bare)), { code: "invalid", message: "no command specified" });
});
