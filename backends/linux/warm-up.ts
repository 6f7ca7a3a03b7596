/**
 * The first plans would take twenty times as long as later ones: the usual system call filter is not compiled yet, and
 * V8 has yet to see the code run. So the plainest container's plan is made a few times while nobody waits for one, in
 * steps between which whatever is asked for gets its turn.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { ContainerId, HostPath } from "../../core/base/brand.ts";
import { checkPlan } from "../../core/runtime/check.ts";
import { compile } from "../../core/runtime/compile.ts";
import { plainInput } from "../../core/runtime/plain-input.ts";
import { specFor } from "../../core/runtime/spec-for.ts";
import type { HostTraits } from "../../core/runtime/traits.ts";
import { undo } from "../../core/runtime/undo.ts";
import { compileFilter } from "./seccomp/filter.ts";
import { encodeRequest } from "./wire/request.ts";

/** After so many V8 has found what is hot. */
const rounds = 25;

const nowhere = "/nowhere" as HostPath;
const root = { lowers: [nowhere], upper: nowhere, work: nowhere, target: nowhere };

export async function warmUp(traits: HostTraits): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    makePlan(traits);
    await nextTurn();
  }
}

function makePlan(traits: HostTraits): void {
  const { architecture } = traits;
  const container = "0".repeat(64) as ContainerId;
  const plan = compile({ spec: specFor({ ...plainInput, architecture }), mounts: [], root, container, traits });
  checkPlan(plan);
  undo(plan);
  encodeRequest(0, {
    kind: "perform",
    plan,
    stdio: { terminal: false, stdin: false, stdinOnce: false, log: nowhere, exit: nowhere },
    socket: nowhere,
    resolve: () => ({ pid: 0, startTime: 0n }),
    seccomp: (profile) => compileFilter(profile, architecture),
  });
}
