/**
 * Records the comparison: runs every case with the docker client and with tsbox on one daemon and
 * writes what docker printed and what the daemon answered tsbox. By hand, against a dockerd that
 * holds busybox:latest (any image with busybox's programs) and nothing else:
 *
 *     node test/cli/record.ts unix:///path/to/docker.sock
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { nodeTransport } from "../../bin/node-transport.ts";
import { type Case, cases } from "./cases.ts";
import { type Outcome, runClient } from "./client-run.ts";
import { type Answer, recorder } from "./tape.ts";

const host = process.argv[2];
if (host === undefined) throw new Error("usage: record.ts unix:///path/to/docker.sock");

export interface Recording {
  readonly argv: readonly string[];
  readonly stdin?: string;
  readonly docker: Outcome;
  readonly tape: readonly Answer[];
}

function docker(argv: readonly string[], input = ""): Outcome {
  const { stdout, stderr, status } = spawnSync("docker", ["-H", host ?? "", ...argv], { input, encoding: "utf8" });
  return { stdout, stderr, exitCode: status ?? -1 };
}

function prepare({ given = [] }: Case): void {
  const containers = docker(["ps", "-aq"]).stdout.split("\n").filter(Boolean);
  if (containers.length > 0) docker(["rm", "-fv", ...containers]);
  for (const volume of docker(["volume", "ls", "-q"]).stdout.split("\n").filter(Boolean))
    docker(["volume", "rm", volume]);
  docker(["rmi", "other:1"]);
  for (const argv of given) docker(argv);
}

async function record(each: Case): Promise<Recording> {
  prepare(each);
  const expected = docker(each.argv, each.stdin);
  prepare(each);
  const tape: Answer[] = [];
  const transport = recorder(nodeTransport({ host: host ?? "", onRefused: null }), tape);
  await runClient(each.argv, transport, each.stdin ?? "");
  return { argv: each.argv, ...(each.stdin === undefined ? {} : { stdin: each.stdin }), docker: expected, tape };
}

const recordings: Recording[] = [];
for (const each of cases) recordings.push(await record(each));
prepare({ argv: [] });
const dataRoot = docker(["info", "-f", "{{.DockerRootDir}}"]).stdout.trim();
const path = new URL("recorded/docker-28.2-on-20.10.json", import.meta.url);
const directory = dirname(host.replace("unix://", ""));
const lines = recordings.map((each) =>
  JSON.stringify(each).replaceAll(dataRoot, "/var/lib/docker").replaceAll(directory, "/run/docker"),
);
writeFileSync(path, `[\n${lines.join(",\n")}\n]\n`);
process.stdout.write(`${recordings.length} cases\n`);
