import assert from "node:assert/strict";
import { test } from "node:test";
import { runInSimulator } from "./world.ts";

async function output(line: string): Promise<string> {
  return new TextDecoder().decode((await runInSimulator(line)).stdout);
}

test("free and top show the memory that /proc/meminfo has", async () => {
  const total = /^MemTotal: +(\d+) kB/m.exec(await output("cat /proc/meminfo"))?.[1] ?? "";
  assert.ok(Number(total) > 0);
  assert.match(await output("free"), new RegExp(`^Mem: +${total} `, "m"));
  assert.match(await output("top -b"), /^Mem: \d+K used, \d+K free/);
});

test("ps knows no process once /proc is gone: it has no other source", async () => {
  assert.equal(await output("umount /proc; ps 2>&1 | tail -n +2"), "");
});

test("an account made by useradd is there for id, ls and su", async () => {
  const text = await output("useradd -m -G staff bob; id bob; ls -ld /home/bob | cut -c1-29; su bob -c 'id -un'");
  assert.equal(text, "uid=1001(bob) gid=1001(bob) groups=1001(bob),50(staff)\ndrwxr-xr-x    2 bob      bob \nbob\n");
});

test("every program of the table can be loaded", async () => {
  const { programNames, standIn } = await import("../../backends/sim/userland/programs.ts");
  const missing: string[] = [];
  for (const name of programNames) if ((await standIn(name)) === null) missing.push(name);
  assert.deepEqual(missing, []);
});
