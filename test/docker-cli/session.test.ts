/**
 * The stock docker client against tsboxd, compared with what dockerd was recorded to say. Where we
 * differ on purpose, differences.json says how and why; a difference that is gone must go from there.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { busyboxTar } from "../images/make.ts";
import { leftSince } from "../left/left.ts";
import type { Outcome } from "./session.ts";
import { perform, session } from "./session.ts";
import type { Tsboxd } from "./tsboxd.ts";
import { skipReason } from "./skip.ts";
import { startTsboxd } from "./tsboxd.ts";

interface Difference {
  readonly step: string;
  readonly reason: string;
  readonly ours: Partial<Outcome>;
}

const readJson = (name: string): unknown => JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8"));
const recorded = readJson("recorded/session.json") as { outcomes: Outcome[] };
const differences = readJson("differences.json") as Difference[];

const skip = skipReason() ?? false;

test("the recording is of this session", () => {
  assert.deepEqual(
    recorded.outcomes.map(({ step }) => step),
    session.map(({ name }) => name),
  );
});

test("docker against tsboxd", { skip }, async (context) => {
  const daemon: Tsboxd = await startTsboxd();
  const created = listenForIds(daemon.host);
  const tar = await busyboxTar();
  for (const [index, step] of session.entries())
    await context.test(step.name, () => {
      const outcome = perform(step, daemon.host, tar);
      const difference = differences.find(({ step: name }) => name === step.name);
      const dockers = recorded.outcomes[index];
      assert.deepEqual(outcome, { ...dockers, ...difference?.ours });
      if (difference !== undefined) assert.notDeepEqual(outcome, dockers, "no difference any more");
    });
  await daemon.stop();
  const ids = await created;
  await context.test("every container was told as an event", () => assert.ok(ids.length >= 30));
  await context.test("nothing is left behind", async () => {
    const mine = (line: string) => [daemon.directory, ...ids].some((name) => line.includes(name));
    assert.deepEqual(await leftSince(new Set(), { mine }), []);
  });
});

/** The ids of all containers made from now on, once the daemon has ended. */
function listenForIds(host: string): Promise<string[]> {
  const asked = ["--filter", "type=container", "--filter", "event=create", "--format", "{{.Actor.ID}}"];
  const client = spawn("docker", ["-H", host, "events", "--since", "1", ...asked]);
  let output = "";
  client.stdout.on("data", (chunk) => {
    output += String(chunk);
  });
  return new Promise((resolve) => client.once("close", () => resolve(output.split("\n").filter((id) => id !== ""))));
}
