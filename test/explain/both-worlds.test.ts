/**
 * `--explain` gives the same plan in both worlds, the traits' differences apart: the very traits of this
 * machine and the simulated one's are compiled for the same containers, each with its own backend's paths.
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

/** What the plan says beside the ops that only a host's cgroups and limits decide. */
function told(input: Partial<SpecInput>, traits: HostTraits): Pick<PlanStep, "sentence" | "man">[] {
  const spec = specFor({ ...plainInput, ...input, architecture: traits.architecture });
  const plan = compile({ spec, mounts: [], root: exampleRoot, container: exampleContainer, traits });
  return explainPlan(plan)
    .filter(({ man, sentence }) => man !== "cgroups(7)" && !/cgroup|control group/.test(sentence))
    .map(({ sentence, man }) => ({ sentence, man }));
}

for (const [what, input] of Object.entries(containers))
  test(`${what} is explained in the same words in both worlds`, { skip }, () => {
    const {
      kernel: _,
      architecture,
      capabilities,
      overlay,
      hardLimits,
      rootless,
    } = probeTraits({ dataRoot: "/", cgroupParent: "tsbox" });
    const shared = { architecture, capabilities, overlay, hardLimits, rootless };
    assert.deepEqual(
      told(input, { ...simTraits, ...shared }),
      told(input, probeTraits({ dataRoot: "/", cgroupParent: "tsbox" })),
    );
  });
