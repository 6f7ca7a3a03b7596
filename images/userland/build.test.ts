import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { join } from "node:path";
import { tmpdir } from "node:os";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { scratch } from "../../backends/linux/testing/scratch.ts";
import { Session } from "../../host/testing/session.ts";
import { imageTar, wasi } from "../archive.ts";
import { imageNames } from "../../core/image/embedded.ts";
import { userlandNames, userlandParts, type UserlandName } from "./build.ts";

const pageBytesMax = 150 * 1024;
const pause = (): Promise<void> => setImmediate();
const pageTar = async (name: UserlandName): Promise<Uint8Array> => imageTar(await userlandParts(name), wasi);

test("hello and the images with a shell are what comes with tsbox", () => {
  assert.deepEqual(["hello", ...userlandNames], imageNames);
});

for (const name of userlandNames)
  test(`${name} is the same bytes every time, and small in the page`, async () => {
    const tar = await pageTar(name);
    assert.deepEqual(await pageTar(name), tar);
    const size = gzipSync(tar).length;
    assert.ok(size <= pageBytesMax, `${size} bytes`);
  });

function withImages(): Promise<Session> {
  const known = (name: string): name is UserlandName => userlandNames.some((each) => each === name);
  return Session.begin(pause, { embedded: (name) => (known(name) ? pageTar(name) : null) });
}

test("each image runs in the simulated host by its name, with no image loaded before", async () => {
  const session = await withImages();
  assert.equal(await session.run("tsbox run --rm tsbox/base writer -n 2 -i 0"), "line 1\nline 2");
  assert.match(await session.run("tsbox run --rm alpine cat /etc/os-release"), /^ID=alpine$/m);
  assert.equal(await session.run("tsbox run --rm ubuntu /bin/bash -c 'echo $((6 * 7))'"), "42");
  assert.equal(
    await session.run("tsbox inspect -f '{{.Config.ExposedPorts}}' $(tsbox create httpd)"),
    "map[80/tcp:map[]]",
  );
  await session.run("tsbox run -d --name web httpd");
  assert.match(await session.run("tsbox exec web wget -q -O - http://127.0.0.1/"), /<h1>It works!<\/h1>/);
});

/** Accounts, owners and tar as the seed uses them, in one line for both worlds. */
const asked =
  "useradd foo && grep ^foo: /etc/passwd /etc/group; mkdir /data && touch /data/file && chown -R foo:foo /data && ls -l /data | tail -n 1 | cut -c1-25; tar cvf /tmp/data.tar /data; useradd foo; echo $?";
const said = [
  "/etc/passwd:foo:x:1000:1000::/home/foo:/bin/sh",
  "/etc/group:foo:x:1000:",
  "-rw-r--r--    1 foo      ",
  "tar: removing leading '/' from member names",
  "data/",
  "data/file",
  "useradd: user 'foo' already exists",
  "9",
];

test("useradd, chown and tar of ubuntu do in the simulated host what the seed asks for", async () => {
  const session = await withImages();
  assert.deepEqual((await session.run(`tsbox run --rm ubuntu /bin/bash -c 'exec 2>&1; ${asked}'`)).split("\n"), said);
});

const skip =
  process.getuid?.() !== 0
    ? "changes its root: needs root"
    : spawnSync("/bin/busybox").status === 0
      ? false
      : "busybox-static is not installed";

test("useradd, chown and tar of ubuntu do the same on Linux", { skip }, async () => {
  const root = scratch("ubuntu-test", tmpdir());
  try {
    const parts = await userlandParts("ubuntu");
    const linux = parts.images.filter(({ platform }) => platform.os === "linux");
    writeFileSync(join(root, "unpack"), await imageTar({ ...parts, images: linux }));
    const script =
      'cd "$0" && for b in $(tar tf unpack | grep blobs/); do tar xOf unpack "$b" > b; tar xf b 2>/dev/null; done; mkdir -p tmp';
    spawnSync("sh", ["-c", script, root]);
    const { stdout } = spawnSync("chroot", [root, "/bin/bash", "-c", `exec 2>&1; ${asked}`], {
      encoding: "utf8",
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" },
    });
    assert.deepEqual(stdout.trimEnd().split("\n"), said);
  } finally {
    rmSync(root, { recursive: true });
  }
});
