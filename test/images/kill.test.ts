import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { scratch } from "../../backends/linux/testing/scratch.ts";
import { openLinuxMachine } from "../../backends/linux/machine.ts";
import { linuxPorts } from "../../backends/linux/ports.ts";
import { openImages } from "../../core/engine/images.ts";
import { busyboxLayersTar, busyboxOciTar, imagesMissing } from "./make.ts";

// kill -9 at random moments while an archive is loaded: whatever was there before is there still, the new image
// is there whole or not at all, the check finds nothing wrong, and the same load then succeeds.

const skip = process.getuid?.() === 0 ? (imagesMissing() ?? false) : "unpacks layers with their owners: needs root";
/** How many; many more when the long tests are run. */
const kills = process.execArgv.some((argument) => argument.includes("long")) ? 200 : 12;
const loader = new URL("./load-once.ts", import.meta.url).pathname;

/** A fixed row of moments (Park and Miller's generator): a failure can be repeated. */
function moments(count: number, upTo: number): number[] {
  let state = 20_261_127;
  return Array.from({ length: count }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return (state / 2_147_483_647) * upTo;
  });
}

/** Loads in a process of its own; milliseconds from its first byte. `after`: when it is killed. */
async function loadUntil(root: string, tar: string, after: number): Promise<number> {
  const child = spawn(process.execPath, [loader, root, tar], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  await Promise.race([once(child.stdout, "data"), ended]);
  const begun = performance.now();
  await Promise.race([sleep(after, undefined, { ref: false }), ended]);
  child.kill("SIGKILL");
  await ended;
  return performance.now() - begun;
}

async function stateOf(root: string, check = true): Promise<{ names: string[]; findings: string[] }> {
  const machine = await openLinuxMachine({ dataRoot: join(root, "data"), runRoot: join(root, "run") });
  try {
    const images = await openImages({ disk: machine.disk, layers: machine.layers, ports: linuxPorts });
    const findings: string[] = [];
    if (check) for await (const { thing, problem } of images.check()) findings.push(`${thing} ${problem}`);
    return { names: (await images.list()).flatMap(({ names }) => names), findings };
  } finally {
    await machine.close();
  }
}

test("a daemon that is killed at any moment of a load leaves a valid store", { skip }, async (t) => {
  const root = scratch("kill");
  try {
    const before = join(root, "before");
    const [old, added] = [await busyboxOciTar(), await busyboxLayersTar()];
    await loadUntil(before, old, 60_000);
    const whole = join(root, "whole");
    cpSync(before, whole, { recursive: true });
    const length = await loadUntil(whole, added, 60_000);
    const outcomes = new Map<string, number>();
    for (const [number, moment] of moments(kills, length).entries()) {
      const site = join(root, `${number}`);
      cpSync(before, site, { recursive: true });
      await loadUntil(site, added, moment);
      const { names, findings } = await stateOf(site);
      assert.deepEqual(findings, [], `killed after ${moment} ms`);
      assert.ok(names.includes("busybox:latest"), `killed after ${moment} ms`);
      outcomes.set(names.join(), (outcomes.get(names.join()) ?? 0) + 1);
      await loadUntil(site, added, 60_000);
      assert.deepEqual((await stateOf(site, false)).names.toSorted(), ["busybox-layers:latest", "busybox:latest"]);
      rmSync(site, { recursive: true });
    }
    t.diagnostic(
      `a load of ${Math.round(length)} ms; ${[...outcomes].map(([names, n]) => `${n} × ${names}`).join("; ")}`,
    );
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
