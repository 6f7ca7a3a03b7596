/**
 * The stock docker client against the simulated machine, command by command: it says what dockerd was
 * recorded to say, as tsboxd on Linux does (session.test.ts holds that one to the same recording and the
 * same differences.json). What differs here beside that is in sim-differences.json, with its reason.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { busyboxTar, imagesMissing } from "../images/make.ts";
import { type Outcome, perform, session } from "./session.ts";
import { startTsboxd } from "./tsboxd.ts";

interface Difference {
  readonly step: string;
  readonly reason: string;
  readonly ours: Partial<Outcome>;
}

const readJson = (name: string): unknown => JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8"));
const recorded = readJson("recorded/session.json") as { outcomes: Outcome[] };
const onLinux = readJson("differences.json") as Difference[];
const here = readJson("sim-differences.json") as Difference[];

test("docker against the simulated machine says what it says on Linux", {
  skip: skipReason() ?? false,
}, async (context) => {
  const daemon = await startTsboxd({ flags: ["--backend", "sim"] });
  const tar = await busyboxTar();
  try {
    for (const [index, step] of session.entries())
      await context.test(step.name, () => {
        const linux = { ...recorded.outcomes[index], ...onLinux.find((each) => each.step === step.name)?.ours };
        const difference = here.find((each) => each.step === step.name);
        const outcome = perform(step, daemon.host, tar);
        assert.deepEqual(outcome, { ...linux, ...difference?.ours });
        if (difference !== undefined) assert.notDeepEqual(outcome, linux, "no difference any more");
      });
  } finally {
    await daemon.stop();
  }
});

/** Neither root nor namespaces are needed: only the client and the tools that make the image. */
function skipReason(): string | null {
  if (spawnSync("docker", ["--version"]).status !== 0) return "the docker client is not installed";
  return imagesMissing("busybox", "tar", "umoci", "skopeo");
}
