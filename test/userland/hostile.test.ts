import assert from "node:assert/strict";
import { test } from "node:test";
import { runInSimulator } from "./world.ts";

async function said(line: string): Promise<{ out: string; err: string; code: number }> {
  const { stdout, stderr, code } = await runInSimulator(line);
  return { out: new TextDecoder().decode(stdout), err: new TextDecoder().decode(stderr), code };
}

const group = "/sys/fs/cgroup/x";

test("a fork bomb stays within its cgroup's pids.max and ends when the cgroup is killed", async () => {
  const bomb = `(echo 0 > ${group}/cgroup.procs; b() { b | b & }; b) 2>/dev/null`;
  const { out } = await said(
    `mkdir ${group}; echo 50 > ${group}/pids.max; ${bomb}; sleep 0.05; cat ${group}/pids.events; echo 1 > ${group}/cgroup.kill; sleep 0.01; cat ${group}/pids.current`,
  );
  const [events = "", current = ""] = out.trimEnd().split("\n");
  assert.match(events, /^max [1-9]/);
  assert.equal(current, "0");
});

test("a function that calls itself for ever ends with a message, and the shell around it goes on", async () => {
  const { out, err } = await said("sh -c 'f() { f; }; f'; echo $?");
  assert.equal(out, "2\n");
  assert.match(err, /^sh: .*(?:nested too deeply|more than 1000 deep)\n$/);
});

test("a variable that doubles for ever is memory: its process is killed at memory.max", async () => {
  const { out } = await said(
    `mkdir ${group}; echo 4000000 > ${group}/memory.max; sh -c 'echo 0 > ${group}/cgroup.procs; x=a; while :; do x=$x$x; done' 2>/dev/null; echo $?`,
  );
  assert.equal(out, "137\n");
});

test("a script of a megabyte runs from its first line on, and says the line of its last", async () => {
  const { out, err } = await said(
    `{ yes ': a comment that fills a line, and does nothing at all but be read and run' | head -n 15000; echo nosuch; } > big; wc -c < big; sh big`,
  );
  assert.ok(Number(out) > 1_000_000);
  assert.equal(err, "big: 15001: nosuch: not found\n");
});

test("a here-document across the pieces of a long script is one", async () => {
  const { out } = await said(
    `{ yes : | head -n 32764; echo 'cat <<E'; yes line | head -n 9; echo E; echo 'echo after'; } > big; sh big | tail -n 2`,
  );
  assert.equal(out, "line\nafter\n");
});

test("tr needs no lines, and takes no more memory for a long input without any", async () => {
  const { out } = await said(
    `mkdir ${group}; echo 4000000 > ${group}/memory.max; sh -c 'echo 0 > ${group}/cgroup.procs; exec tr "\\0" x < /dev/zero' | head -c 6000000 | wc -c; printf 'gr\\303\\274\\303' | tr g G | od -c`,
  );
  assert.equal(out, "6000000\n0000000   G   r 303 274 303\n0000005\n");
});

test("endless output ends with its reader", async () => {
  const { out } = await said("yes | head -n 1; while :; do echo x; done | head -n 1");
  assert.equal(out, "y\nx\n");
});

test("a script of ten megabytes runs to its end", async () => {
  const { out, err } = await said(
    `{ yes ': a comment that fills a line, and does nothing at all but be read and run' | head -n 150000; echo 'echo end'; } > big; wc -c < big; sh big`,
  );
  const [size = "", end] = out.split("\n");
  assert.ok(Number(size) > 10_000_000);
  assert.deepEqual([end, err], ["end", ""]);
});

test("a flood that nobody reads waits for its reader, and ends with it", async () => {
  const { out } = await said("yes | sleep 1; echo $?; yes > /dev/null & sleep 1; kill -9 $!; wait $!; echo $?");
  assert.equal(out, "0\n137\n");
});

/** With --long (scripts/long.ts) there are more. */
const manyFiles = process.execArgv.some((argument) => argument.includes("long.ts")) ? 1_000_000 : 100_000;

test(`a directory of ${manyFiles} files is listed, searched and removed`, async () => {
  const { out } = await said(
    `mkdir many; cd many; seq ${manyFiles} | xargs touch; ls | wc -l; find . -type f | wc -l; cd ..; rm -r many; ls -d many 2>&1`,
  );
  assert.equal(out, `${manyFiles}\n${manyFiles}\nls: many: No such file or directory\n`);
});

test("a file system that is full says so, and df tells how full it is", async () => {
  const { out, err } = await said(
    "mkdir m; mount -t tmpfs -o size=1m,nr_inodes=3 none m; cp /bin/busybox m/one; yes > m/two; df -k m | tail -n 1 | tr -s ' '; rm m/two; : > m/two; : > m/three",
  );
  const [, total, used, free] = out.split(" ");
  assert.deepEqual([total, used, free], ["1024", "1024", "0"]);
  assert.equal(err, "yes: No space left on device\n/bin/sh: 1: cannot create m/three: No space left on device\n");
});

test("a listing takes memory: of a directory too large for its cgroup it is killed", async () => {
  const { out } = await said(
    `mkdir many ${group}; cd many; seq 20000 | xargs touch; echo 300000 > ${group}/memory.max; sh -c 'echo 0 > ${group}/cgroup.procs; exec ls' | wc -l; cd ..; ls many | wc -l`,
  );
  assert.equal(out, "0\n20000\n");
});

test("a complaint that nobody reads ends its program only", async () => {
  const gone = "sleep 0.1; exec";
  const { out } = await said(
    `(${gone} sh -c nosuch) 2>&1 | true; (trap '' PIPE; ${gone} ls nofile) 2>&1 | true; (trap '' PIPE; ${gone} ls -@) 2>&1 | true; echo on`,
  );
  assert.equal(out, "on\n");
});

test("an archive of the directory it lies in leaves itself out, and a file that grows is as long as it was", async () => {
  const { out, err } = await said(
    "tar cf all.tar .; tar tf all.tar | grep -c all; yes > grows & sleep 0.01; tar cf - grows | tar tf -; kill $!",
  );
  assert.equal(out, "0\ngrows\n");
  assert.equal(err, "tar: ./all.tar: file is the archive; skipping\n");
});
