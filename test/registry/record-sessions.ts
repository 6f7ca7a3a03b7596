/**
 * Records what distribution's own server says to each session:
 *
 *     node test/registry/record-sessions.ts
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { sweep } from "../../backends/linux/testing/scratch.ts";
import { registryFetch } from "../../bin/registry-fetch.ts";
import { startDockerRegistry } from "./docker-registry.ts";
import { type Exchange, guarded, hold, passwords, sessions } from "./sessions.ts";

const network = registryFetch({ environment: {}, certificates: [] });
sweep();
const recorded: Record<string, readonly Exchange[]> = {};
for (const [name, steps] of Object.entries(sessions)) {
  const registry = await startDockerRegistry(
    guarded.has(name)
      ? { auth: ["htpasswd: { realm: tsbox registry, path: DIR/htpasswd }"], files: { htpasswd: passwords } }
      : {},
  );
  recorded[name] = await hold(network, `http://${registry.host}`, steps);
  await registry.stop();
}
writeFileSync(
  fileURLToPath(new URL("recorded/sessions.json", import.meta.url)),
  `${JSON.stringify(recorded, null, 2)}\n`,
);
process.exit(0);
