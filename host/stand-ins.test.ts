import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import test from "node:test";
import { encodeText } from "../core/base/bytes.ts";
import { look } from "./lens.ts";
import { Session } from "./testing/session.ts";

// Where TypeScript plays an ELF file, whoever looks can know it: lenses by the process, people by the kernel's messages.

const begin = (): Promise<Session> => Session.begin(() => setImmediate(), { serves: false });

test("a process says which program plays its file, until it is another one's", async () => {
  const session = await begin();
  await session.run("mkfifo p; sh -c 'cat p & exec head p' &");
  const played = look(session.host.capture(null)).processes.map(({ command, standIn }) => [command, standIn]);
  assert.deepEqual(
    played.filter(([command]) => /^(?:cat|head)/.test(String(command))),
    [
      ["head p", { program: "head", file: "/bin/head" }],
      ["cat p", { program: "cat", file: "/bin/cat" }],
    ],
  );
  assert.equal(played[0]?.[1], null, "the first process is the kernel's own");
});

test("the kernel's messages have a line for each process that is played, and for what nobody plays", async () => {
  const session = await begin();
  session.give("own", encodeText("\u007fELF of somebody's"));
  await session.run("dmesg > before; chmod +x own; ls; ./own");
  const said = (await session.run("dmesg")).replaceAll(/^\[[ \d.]+\] /gm, "").split("\n");
  for (const line of [/^exec: pid \d+: TypeScript plays ls for \/bin\/ls$/, /^exec: \.\/own is an ELF file, and no /])
    assert.equal(said.filter((each) => line.test(each)).length, 1, String(line));
});

test("a file of a known program's place and name is played only as long as it is as it came", async () => {
  const session = await begin();
  session.give("own", encodeText("\u007fELF of somebody's"));
  assert.equal(
    await session.run(
      "cp /usr/bin/tsbox copy; cp own /usr/bin/sort; chmod +x copy /usr/bin/sort; /usr/bin/sort; ./copy",
    ),
    "-sh: /usr/bin/sort: Exec format error\n-sh: ./copy: Exec format error",
  );
  await session.run("chmod 700 /usr/bin/tsbox");
  assert.match(await session.run("tsbox --version"), /^tsbox version/);
  assert.match(await session.run("echo >> /usr/bin/tsbox; tsbox --version"), /Exec format error$/);
  assert.match(
    await session.run("dmesg | grep exec: | grep no | tail -n 1"),
    /tsbox is an ELF file, and no .*: it is none that came with an image, or it was changed$/,
  );
});

test("the kernel's messages are root's to read", async () => {
  const session = await begin();
  assert.equal(
    await session.run("su nobody -s /bin/sh -c dmesg; echo $?"),
    "dmesg: klogctl: Operation not permitted\n1",
  );
});
