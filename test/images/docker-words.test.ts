import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createReadStream, readFileSync } from "node:fs";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { readAll } from "../../core/base/bytes.ts";
import { readTar } from "../../core/image/tar.ts";
import { dockerdMissing, startDockerd } from "../docker-cli/dockerd.ts";
import { startTsboxd } from "../docker-cli/tsboxd.ts";
import { directory, dockerArchive, entry, layer, layerOf } from "./forge.ts";
import { busyboxOciTar, busyboxTar, imagesMissing } from "./make.ts";

// The same docker commands about images, to dockerd and to us: what is printed and what they exit with are the same.

const skip = process.getuid?.() === 0 ? (dockerdMissing() ?? imagesMissing() ?? false) : "needs root";

/** Parted by blanks, "~" being one within; a line's standard input, when it has some, is the name after "<". */
const commands = `
load < busybox
load < layered
images --no-trunc --format {{.Repository}}:{{.Tag}}|{{.ID}}|{{.Digest}}
tag busybox me/box:1
tag busybox me/box
tag busybox other.example:5000/x
tag busybox UPPER
tag nosuch x
tag busybox x@sha256:0000000000000000000000000000000000000000000000000000000000000000
images -q
images --format {{.Repository}}:{{.Tag}} me/*
images --format {{.Repository}}:{{.Tag}} --filter reference=m[d-f]/b?x
images --format {{.Repository}}:{{.Tag}} --filter reference=me/box:1
images --format {{.Repository}}:{{.Tag}} --filter before=busybox
images --format {{.Repository}}:{{.Tag}} --filter since=busybox
images --format {{.Repository}}:{{.Tag}} --filter dangling=true
images --filter nosuch=1
history --no-trunc --format {{.ID}}|{{.CreatedBy}}|{{.Size}}|{{.Comment}} layered
history --no-trunc --format json layered
history --human=false layered
history nosuch
images --format json busybox
images --format {{json~.}} busybox
images --format {{.Nosuch}}
images --format {{.Nosuch}} nosuch
tag busybox a:
tag busybox a___b
tag busybox .a
tag busybox a--b/c_d.e:f
rmi a--b/c_d.e:f
push busybox@sha256:0000000000000000000000000000000000000000000000000000000000000000
image inspect --format {{.Id}}|{{json~.RepoTags}}|{{json~.RepoDigests}}|{{json~.RootFS}}|{{json~.Config.Cmd}}|{{.Size}} layered
image inspect nosuch
image inspect --format {{.Id}} nosuch
save -o /nosuch/directory/file busybox
search --filter is-official=maybe 127.0.0.1:1/x
search --filter nosuch=1 x
login --password-stdin 127.0.0.1:1
system df --format {{.Type}}|{{.TotalCount}}|{{.Active}}|{{.Size}}|{{.Reclaimable}}
save nosuch
save nosuch:tag
save busybox nosuch
create --name keeper layered
rmi layered
rmi IDOFlayered
rmi IDOFbusybox
rmi me/box:1
rmi nosuch
rmi me/box other.example:5000/x
image prune -f
rmi busybox
images -q
rm keeper
load < second
images --format {{.Repository}}:{{.Tag}}
image prune -f
image prune -a -f --filter label=keep
image prune -a -f
images -q
import --change CMD~["x"] - me/root:1 < root
image inspect --format {{json~.Config.Cmd}}|{{json~.RootFS.Layers}}|{{json~.RepoTags}} me/root:1
image inspect --format {{.Comment}} me/root:1
import --change ONBUILD~RUN~x --change HEALTHCHECK~--interval=1m30s~--retries=3~CMD~true - h:1 < root
image inspect --format {{json~.Config.OnBuild}}|{{json~.Config.Healthcheck}} h:1
import --change HEALTHCHECK~NONE - h:1 < root
import --change HEALTHCHECK~CMD~["a","b"] - h:2 < root
image inspect --format {{json~.Config.Healthcheck}} h:2
import --change HEALTHCHECK~true - h:3 < root
import --change ONBUILD~ONBUILD~RUN~x - h:3 < root
import --change ONBUILD~FROM~x - h:3 < root
import --change  - h:3 < root
import --platform windows - h:3 < root
rmi h:1 h:2
import - < root
image prune -f
rmi me/root:1
`;

/** What differs by itself: ids of images that hold the time; words that Docker changed since the oracle's version. */
function masked(text: string, known: ReadonlySet<string>): string {
  const ofToday = text.replace("Invalid filter", "invalid filter").replace(/no such image: \S+: (?=No such image)/, "");
  return ofToday.replace(/sha256:[0-9a-f]{64}/g, (digest) => (known.has(digest) ? digest : "sha256:<other>"));
}

interface Inputs {
  readonly files: Readonly<Record<string, Uint8Array>>;
  readonly known: ReadonlySet<string>;
}

async function inputs(): Promise<Inputs> {
  const busybox = readFileSync(await busyboxTar());
  const gzip = await largestBlob(await busyboxOciTar());
  const base = layer(gunzipSync(gzip));
  const upper = await layerOf(directory("etc/"), entry("etc/own", "own"));
  const config = { created: "2024-02-02T00:00:00Z", config: { Cmd: ["sh"] } };
  const history = [
    { created: "2024-01-01T00:00:00Z", created_by: "ADD rootfs" },
    { created: "2024-02-01T12:34:56.789Z", created_by: "CMD sh", empty_layer: true },
    { created: "2024-02-02T00:00:00Z", created_by: "RUN <own> && true", comment: "c" },
  ];
  const layered = await dockerArchive({
    names: ["layered:latest"],
    layers: [base, upper],
    config: { ...config, history },
  });
  const second = await dockerArchive({
    names: ["layered:latest"],
    layers: [base],
    config: { ...config, created: "2024-03-03T00:00:00Z" },
  });
  const known = new Set([base.diffId, upper.diffId]);
  return { files: { busybox, layered, second, root: upper.bytes }, known };
}

async function largestBlob(tar: string): Promise<Uint8Array> {
  let found = new Uint8Array();
  for await (const { content } of readTar(createReadStream(tar), tar)) {
    const bytes = await readAll(content, 2 ** 24);
    if (bytes.length > found.length) found = bytes;
  }
  return found;
}

const ourClient = fileURLToPath(new URL("../../bin/tsbox", import.meta.url));
/** Our client prints JSON as the daemon wrote it. */
const ownWords = /^\$ image inspect .*RootFS/;
/** A program and its first arguments. */
const clients = { docker: ["docker", "-H"], tsbox: [ourClient, "--host"] } as const;

function session(client: keyof typeof clients, host: string, { files, known }: Inputs): string[] {
  const [program, ...first] = clients[client];
  const docker = (args: readonly string[], input?: Uint8Array): string => {
    const { stdout, stderr, status } = spawnSync(program, [...first, host, ...args], { encoding: "utf8", input });
    return `${stdout}${stderr}exit ${status}`;
  };
  const idOf = (name: string): string => docker(["image", "inspect", "--format", "{{.Id}}", name]).slice(7, 19);
  const ids = new Set(known);
  return commands
    .trim()
    .split("\n")
    .map((line) => {
      const [command = "", file] = line.split(" < ");
      const args = command
        .replace(/IDOF(\w+)/g, (_, name: string) => idOf(name))
        .split(" ")
        .map((word) => word.replaceAll("~", " "));
      const said = docker(args, file === undefined ? undefined : files[file]);
      if (command.startsWith("images --no-trunc"))
        for (const [id] of said.matchAll(/sha256:[0-9a-f]{64}/g)) ids.add(id);
      return `$ ${command}\n${masked(said, ids)}`
        .replace(/^[0-9a-f]{64}$/gm, "<container>")
        .replace(/container [0-9a-f]{12}/g, "container <id>");
    });
}

test("docker's commands about images do to us what they do to dockerd, and ours do to dockerd what docker's do", {
  skip,
}, async () => {
  const [dockerd, tsboxd] = [await startDockerd(), await startTsboxd()];
  try {
    const made = await inputs();
    const theirs = session("docker", dockerd.host, made);
    assert.deepEqual(session("docker", tsboxd.host, made), theirs);
    const ours = session("tsbox", dockerd.host, made);
    const compared = (lines: readonly string[]): string[] => lines.filter((line) => !ownWords.test(line));
    assert.deepEqual(compared(ours), compared(theirs));
  } finally {
    await tsboxd.stop();
    await dockerd.stop();
  }
});
