/**
 * `--explain` gives the same plan in both worlds, the traits' differences apart: for the same containers
 * the simulated machine's traits and this machine's give the same explanation, step by step, once the
 * simulated one has this machine's cgroups (their version decides how devices are given), its bounding
 * set, its hard limits and its way to mount an overlay.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { probeTraits } from "../../backends/linux/traits.ts";
import { simTraits } from "../../backends/sim/traits.ts";
import { compile } from "../../core/runtime/compile.ts";
import { explainPlan, type PlanStep } from "../../core/runtime/explain.ts";
import { plainInput } from "../../core/runtime/plain-input.ts";
import { specFor, type SpecInput } from "../../core/runtime/spec-for.ts";
import { exampleContainer, exampleRoot } from "../../core/runtime/testing/examples.ts";
import type { HostTraits } from "../../core/runtime/traits.ts";

const skip = process.platform === "linux" ? false : "the traits of a Linux host are needed";

const containers: Readonly<Record<string, Partial<SpecInput>>> = {
  "a plain container": {},
  "a terminal": { terminal: { rows: 24, columns: 80 } },
  "a read-only root of another user": {
    readonlyRootfs: true,
    user: { uid: 1000, gid: 1000, additionalGids: [], home: "/" },
  },
  "no new privileges and no capabilities": { noNewPrivileges: true, capabilities: { add: [], drop: ["ALL"] } },
  "the host's network and names": { namespaces: { ...plainInput.namespaces, network: "host", uts: "host" } },
};

function told(input: Partial<SpecInput>, traits: HostTraits): PlanStep[] {
  const spec = specFor({ ...plainInput, ...input, architecture: traits.architecture });
  return explainPlan(compile({ spec, mounts: [], root: exampleRoot, container: exampleContainer, traits }));
}

for (const [what, input] of Object.entries(containers))
  test(`${what} is explained in the same words in both worlds`, { skip }, () => {
    const here = probeTraits({ dataRoot: "/", cgroupParent: "tsbox" });
    const { cgroups, architecture, capabilities, overlay, hardLimits, rootless } = here;
    const there = { ...simTraits, cgroups, architecture, capabilities, overlay, hardLimits, rootless };
    assert.deepEqual(told(input, there), told(input, here));
  });
