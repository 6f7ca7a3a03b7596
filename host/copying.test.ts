import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { imageTar, wasi } from "../images/archive.ts";
import { userlandParts } from "../images/userland/build.ts";
import { Session } from "./testing/session.ts";

// docker cp in the simulated host's shell: between its own files and a container's.

test("files and trees go from the simulated host into a container and back", async () => {
  const embedded = async (): Promise<Uint8Array> => imageTar(await userlandParts("alpine"), wasi);
  const session = await Session.begin(() => setImmediate(), {
    embedded: (name) => (name === "alpine" ? embedded() : null),
  });
  await session.run("mkdir -p /w/d/sub && cd /w && echo hello > a.txt && chmod 640 a.txt && echo deep > d/sub/f");
  await session.run("ln -s sub/f d/link && ln d/sub/f d/same && mkfifo d/pipe && touch -d 2001-02-03 a.txt");
  await session.run("docker create --name box alpine cat /tmp/a.txt");
  assert.match(await session.run("docker cp a.txt box:/tmp; echo $?"), /^Successfully copied 2.05kB to box:\/tmp\n0$/);
  assert.equal(await session.run("docker start -a box"), "hello");
  await session.run(
    "docker cp -q d box:/tmp/new && docker cp -q box:/tmp/new back && docker cp -q box:/tmp/a.txt b.txt",
  );
  assert.equal(await session.run("stat -c '%a %s %Y' a.txt > 1; stat -c '%a %s %Y' b.txt > 2; cmp 1 2; echo $?"), "0");
  assert.equal(
    await session.run("cat back/sub/f back/link back/same; ls back; readlink back/link"),
    ["deep", "deep", "deep", "link  pipe  same  sub", "sub/f"].join("\n"),
  );
  assert.equal(
    await session.run("[ $(stat -c %i back/same) = $(stat -c %i back/sub/f) ] && [ -p back/pipe ]; echo $?"),
    "0",
  );
  assert.equal(
    await session.run("docker cp box:/tmp/new/. into; docker cp nosuch box:/; echo $?"),
    ["Successfully copied 10.8kB to /w/into", "lstat /w/nosuch: no such file or directory", "1"].join("\n"),
  );
});
