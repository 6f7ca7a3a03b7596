/**
 * The registry of the simulated network, registry.sim: core's own, kept on the simulated host beneath
 * /var/lib/registry, so that a session is all there is of it. What is asked of it never leaves the
 * machine; all else goes outside, where there is an outside.
 */
import type { Kernel } from "../backends/sim/kernel/kernel.ts";
import type { Ports } from "../core/base/ports.ts";
import type { Disk } from "../core/engine/machine.ts";
import type { RegistryDependencies } from "../core/engine/registry.ts";
import { type Fetch, networkError } from "../core/image/registry/http.ts";

export const simulatedRegistry = "registry.sim";
const directory = "/var/lib/registry";

export interface RegistryParts {
  readonly kernel: Kernel;
  readonly disk: Disk;
  readonly ports: Ports;
}

export function registriesOf(parts: RegistryParts, outside: RegistryDependencies | undefined): RegistryDependencies {
  const beyond = outside?.fetch ?? unreachable;
  let opened: Promise<Fetch> | null = null;
  const fetch: Fetch = async (request) => {
    if (new URL(request.url).hostname !== simulatedRegistry) return beyond(request);
    return (await (opened ??= open(parts)))(request);
  };
  return { ...outside, fetch };
}

const unreachable: Fetch = ({ url }) =>
  Promise.reject(
    networkError(
      "refused",
      `cannot reach ${new URL(url).host}: the simulated network has one registry, ${simulatedRegistry}`,
    ),
  );

/** The server's code is fetched when it is first asked: until then the kernel stands still. */
async function open({ kernel, disk, ports }: RegistryParts): Promise<Fetch> {
  const loading = import("./registry-server.ts");
  kernel.turns.hold(loading);
  return (await loading).registryOn(disk, directory, ports);
}
