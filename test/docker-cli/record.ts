/** Records what dockerd says to the session: `node test/docker-cli/record.ts`, as root, with dockerd installed. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { sweep } from "../../backends/linux/testing/scratch.ts";
import { busyboxTar } from "../images/make.ts";
import { dockerdMissing, startDockerd } from "./dockerd.ts";
import { perform, session } from "./session.ts";

const missing = dockerdMissing();
if (missing !== null) throw new Error(missing);
sweep();
const tar = await busyboxTar();
const daemon = await startDockerd();
try {
  const version = spawnSync("docker", [
    "-H",
    daemon.host,
    "version",
    "--format",
    "{{.Client.Version}} {{.Server.Version}}",
  ]);
  const [client, server] = String(version.stdout).trim().split(" ");
  const outcomes = session.map((step) => perform(step, daemon.host, tar));
  const recorded = { client, server, outcomes };
  writeFileSync(new URL("recorded/session.json", import.meta.url), `${JSON.stringify(recorded, null, 2)}\n`);
} finally {
  await daemon.stop();
}
