/** Core's registry on the simulated host's disk: everybody may do everything. A chunk of its own. */
import type { Ports } from "../core/base/ports.ts";
import type { Fetch } from "../core/image/registry/http.ts";
import { type RegistryDisk, RegistryStore } from "../core/image/registry/server-store.ts";
import { registryServer } from "../core/image/registry/server.ts";

export async function registryOn(disk: RegistryDisk, directory: string, ports: Ports): Promise<Fetch> {
  const store = await RegistryStore.open(disk, directory);
  return registryServer({ store, hasher: ports.hasher, random: ports.random, auth: null, deletes: true });
}
