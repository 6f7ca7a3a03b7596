/** A container's capabilities: Docker's default set, changed by --cap-add, --cap-drop and --privileged. */
import { TsboxError } from "../base/error.ts";
import { type Capability, capabilityNumbers, defaultCapabilities } from "./capabilities.ts";

const all = Object.keys(capabilityNumbers) as Capability[];

export interface CapabilityRequest {
  readonly add: readonly string[];
  readonly drop: readonly string[];
  readonly privileged: boolean;
}

/**
 * The bounding set asked for, in the kernel's order (moby: oci/caps/utils.go, TweakCapabilities).
 * "ALL" and names without "CAP_", in any case, are understood.
 * Throws TsboxError "invalid" `invalid CapAdd: unknown capability: "CAP_X"`.
 */
export function capabilitySet(request: CapabilityRequest): Capability[] {
  const add = request.add.map((name) => parse("CapAdd", name));
  const drop = request.drop.map((name) => parse("CapDrop", name));
  if (request.privileged) return all;
  if (add.includes("ALL")) return all.filter((capability) => !drop.includes(capability));
  if (drop.includes("ALL")) return all.filter((capability) => add.includes(capability));
  const kept = defaultCapabilities.filter((capability) => !drop.includes(capability));
  return all.filter((capability) => add.includes(capability) || kept.includes(capability));
}

function parse(option: "CapAdd" | "CapDrop", name: string): Capability | "ALL" {
  const upper = name.toUpperCase();
  if (upper === "ALL") return "ALL";
  const full = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
  if (Object.hasOwn(capabilityNumbers, full)) return full as Capability;
  throw new TsboxError("invalid", `invalid ${option}: unknown capability: ${JSON.stringify(full)}`);
}
