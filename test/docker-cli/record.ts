/**
 * Records what dockerd says to the sessions: `node test/docker-cli/record.ts [session|life]`, as root, with dockerd
 * installed.
 */
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { scratch, sweep } from "../../backends/linux/testing/scratch.ts";
import { busyboxTar } from "../images/make.ts";
import { dockerdMissing, startDockerd } from "./dockerd.ts";
import { life, performLine } from "./life.ts";
import { type Outcome, perform, session } from "./session.ts";

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
  const wanted = process.argv[2];
  const write = (name: string, outcomes: readonly Outcome[]): void =>
    writeFileSync(
      new URL(`recorded/${name}.json`, import.meta.url),
      `${JSON.stringify({ client, server, outcomes }, null, 2)}\n`,
    );
  if (wanted !== "life")
    write(
      "session",
      session.map((step) => perform(step, daemon.host, tar)),
    );
  if (wanted !== "session") {
    spawnSync("docker", ["-H", daemon.host, "load", "-i", tar]);
    const directory = scratch("life");
    write(
      "life",
      life.map((line) => performLine(line, daemon.host, directory)),
    );
    rmSync(directory, { recursive: true });
  }
} finally {
  await daemon.stop();
}
