/**
 * The stock docker client against tsboxd in both worlds, and our own client, line by line as life.ts has them: each says
 * what docker and dockerd were recorded to say. Where we differ on purpose, life-differences.json says how, why, and in which world.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { staleParts } from "../../build.ts";
import { scratch } from "../../backends/linux/testing/scratch.ts";
import { busyboxTar, imagesMissing } from "../images/make.ts";
import { leftSince } from "../left/left.ts";
import { life, performLine } from "./life.ts";
import type { Outcome } from "./session.ts";
import { skipReason } from "./skip.ts";
import { startTsboxd } from "./tsboxd.ts";

type World = "linux" | "sim";

interface Difference {
  readonly line: string;
  readonly worlds: readonly World[];
  readonly reason: string;
  readonly ours: Partial<Outcome>;
}

const readJson = (name: string): unknown => JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8"));
const recorded = readJson("recorded/life.json") as { outcomes: Outcome[] };
const differences = readJson("life-differences.json") as Difference[];

const simSkip =
  spawnSync("docker", ["--version"]).status === 0
    ? imagesMissing("busybox", "tar", "umoci", "skopeo")
    : "the docker client is not installed";

test("the recording is of these lines", () => {
  assert.deepEqual(
    recorded.outcomes.map(({ step }) => step),
    life.map(({ name }) => name),
  );
});

/** A directory in which `docker` is our client: the built one, unless it is older than its sources. */
function ownClient(directory: string): string {
  const program = fileURLToPath(new URL("../../bin/tsbox", import.meta.url));
  const sources = staleParts().includes("tsbox") ? "TSBOX_DEV=1 " : "";
  const path = join(directory, ".bin");
  mkdirSync(path);
  writeFileSync(join(path, "docker"), `#!/bin/sh\n${sources}exec ${program} "$@"\n`, { mode: 0o755 });
  return path;
}

for (const [world, skip, flags, client] of [
  ["linux", skipReason(), [], "docker"],
  ["linux", skipReason(), [], "tsbox"],
  ["sim", simSkip, ["--backend", "sim"], "docker"],
] as const)
  test(`${client} against tsboxd: ${world}`, { skip: skip ?? false }, async (context) => {
    const daemon = await startTsboxd({ flags });
    const directory = scratch("life");
    spawnSync("docker", ["-H", daemon.host, "load", "-i", await busyboxTar()]);
    const before = client === "tsbox" ? ownClient(directory) : "";
    try {
      for (const [index, line] of life.entries())
        await context.test(line.name, () => {
          const dockers = recorded.outcomes[index];
          const difference = differences.find((each) => each.line === line.name && each.worlds.includes(world));
          const outcome = performLine(line, daemon.host, directory, before);
          const { stderr } = outcome;
          const said =
            client === "tsbox"
              ? { ...outcome, stderr: stderr.replaceAll("tsbox ", "docker ").replace(/^tsbox:/gm, "docker:") }
              : outcome;
          assert.deepEqual(said, { ...dockers, ...difference?.ours });
          if (difference !== undefined) assert.notDeepEqual(outcome, dockers, "no difference any more");
        });
    } finally {
      await daemon.stop();
      rmSync(directory, { recursive: true });
    }
    const mine = (line: string): boolean => line.includes(daemon.directory);
    await context.test("nothing is left behind", async () =>
      assert.deepEqual(await leftSince(new Set(), { mine }), []),
    );
  });
