import type { ContainerId } from "../base/brand.ts";
import type { Mount } from "./mount.ts";
import type { Overlay, Plan } from "./plan.ts";
import type { ProcessUser, TerminalSize } from "./spec-for.ts";
import type { Spec } from "./spec.ts";
import type { HostTraits } from "./traits.ts";

export interface CompileInput {
  readonly spec: Spec;
  /** The user's mounts; one whose target a default mount has replaces that. */
  readonly mounts: readonly Mount[];
  /** Of Layers.overlay. */
  readonly root: Pick<Overlay, "lowers" | "upper" | "work" | "target">;
  readonly container: ContainerId;
  readonly traits: HostTraits;
}

export function compile(_input: CompileInput): Plan {
  return { steps: [] };
}

export interface CompileExecInput {
  readonly argv: readonly [string, ...string[]];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user: ProcessUser;
  readonly terminal: TerminalSize | null;
  readonly privileged: boolean;
  readonly container: ContainerId;
  readonly plan: Plan;
  readonly traits: HostTraits;
}

export function compileExec(_input: CompileExecInput): Plan {
  return { steps: [] };
}
