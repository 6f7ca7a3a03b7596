import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { test } from "node:test";
import { readAll, streamOf } from "../../core/base/bytes.ts";
import { tarOfChanges } from "../../core/image/layer.ts";
import type { Change, TreePath } from "../../core/unionfs/change.ts";
import { Session } from "../../host/testing/session.ts";
import { buildHello } from "../../images/hello/build.ts";
import { program } from "../../images/wasi/build.ts";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scratch } from "../../backends/linux/testing/scratch.ts";

// hello and a user's own program in the simulated host, from the command line down.

const pause = (): Promise<void> => setImmediate();

async function helloTar(): Promise<Uint8Array> {
  const directory = scratch("own-program", tmpdir());
  try {
    await buildHello(join(directory, "hello.tar"));
    return readFileSync(join(directory, "hello.tar"));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function rootWith(name: string, bytes: Uint8Array): Promise<Uint8Array> {
  const meta = { mode: 0o755, uid: 0, gid: 0, mtime: 0n, xattrs: new Map<string, Uint8Array>() };
  const change: Change = { kind: "file", path: name as TreePath, meta, size: bytes.length, content: streamOf(bytes) };
  const changes = async function* (): AsyncGenerator<Change, void, undefined> {
    yield change;
  };
  return readAll(tarOfChanges(changes()), 1 << 24);
}

test("hello runs as the WebAssembly program of its image, and as an ELF file it does not", async () => {
  const tar = await helloTar();
  const session = await Session.begin(pause, { embedded: (name) => (name === "hello" ? Promise.resolve(tar) : null) });
  const said = await session.run("tsbox run --rm -h box -m 64m hello; echo $?");
  assert.match(said, /^hostname +box +a name of its own: the UTS namespace$/m);
  assert.match(said, /^pid +1 +the first process here/m);
  assert.match(said, /^memory limit +67108864 /m);
  assert.match(said, /\n0$/);
  assert.match(
    await session.run("tsbox run --rm --platform linux/amd64 hello; echo $?"),
    /exec format error[^]*\n126$/,
  );
});

test("a program of the user's own is imported as an image and runs, in a pipe of the shell too", async () => {
  const session = await Session.begin(pause);
  session.give("root.tar", await rootWith("shout", await program("upper")));
  const imported = await session.run(`tsbox import --platform wasi/wasm -c 'CMD ["/shout"]' root.tar mine`);
  assert.match(imported, /^sha256:[0-9a-f]{64}$/);
  assert.equal(await session.run("echo both worlds | tsbox run --rm -i mine"), "BOTH WORLDS");
  assert.equal(
    await session.run("tsbox run --rm mine /nowhere; echo $?").then((text) => text.split("\n").at(-1)),
    "127",
  );
});
