import assert from "node:assert/strict";
import { test } from "node:test";
import { runInSimulator } from "./world.ts";

// What the recorded lines cannot hold: numbers of processes, several of them, one that runs already.

async function said(line: string): Promise<string[]> {
  const { stdout, stderr } = await runInSimulator(line);
  return `${new TextDecoder().decode(stdout)}${new TextDecoder().decode(stderr)}`.trimEnd().split("\n");
}

test("strace -f follows children, and says whose call it is while there are several", async () => {
  const lines = await said("strace -f -e trace=execve,clone sh -c 'ls d | wc -l' 2>&1");
  const from = (text: RegExp): number => lines.findIndex((line) => text.test(line));
  assert.ok(from(/^execve\("\/bin\/sh"/) < from(/^strace: Process \d+ attached$/));
  assert.ok(from(/^\[pid +\d+\] execve\("\/bin\/ls", \["ls", "d"\]/) !== -1, lines.join("\n"));
  assert.ok(from(/^\[pid +\d+\] execve\("\/bin\/wc", \["wc", "-l"\]/) !== -1);
  assert.equal(lines.at(-1), "+++ exited with 0 +++");
});

test("strace -p looks at a process that runs until it ends", async () => {
  const lines = await said(
    "(sleep 0.1; mkdir made; exec sleep 0.1) & sleep 0.05; strace -f -e trace=mkdir,execve -p $! 2>&1",
  );
  assert.match(lines.join("\n"), /^strace: Process \d+ attached$/m);
  assert.match(lines.join("\n"), /^(?:\[pid +\d+\] )?mkdir\("made", 0777\) += 0$/m);
  assert.equal(lines.at(-1), "+++ exited with 0 +++");
});

test("strace ends as its program does, by the same signal too", async () => {
  assert.deepEqual(await said("strace -o o sh -c 'kill -9 $$'; echo $?"), ["137", "Killed"]);
  assert.deepEqual(await said("strace -o o sh -c 'exit 7'; echo $?"), ["7"]);
});

test("strace tells where signals come from", async () => {
  const killer = "trap : USR1; kill -USR1 $$; ls nofile; sleep 9 & kill -9 $!; wait; :";
  const lines = (await said(`strace sh -c '${killer}' 2>&1`)).join("\n");
  assert.match(lines, /^--- SIGUSR1 \{si_signo=SIGUSR1, si_code=SI_USER, si_pid=(\d+), si_uid=0\} ---$/m);
  assert.match(
    lines,
    /^--- SIGCHLD \{si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=\d+, si_uid=0, si_status=1, si_utime=0, si_stime=0\} ---$/m,
  );
  assert.match(lines, /^--- SIGCHLD \{si_signo=SIGCHLD, si_code=CLD_KILLED, .*, si_status=SIGKILL, /m);
});

test("what is traced does not run ahead of what its tracer has shown", async () => {
  const lines = await said("strace -e trace=write sh -c 'echo one; echo two' 2>&1");
  assert.deepEqual(
    lines.map((line) => line.replace(/ +=.*/, "")),
    ["one", 'write(1, "one\\n", 4)', "two", 'write(1, "two\\n", 4)', "+++ exited with 0 +++"],
  );
});

test("who may not trace a process is told", async () => {
  const lines = await said('sleep 1 & su ann -c "strace -p $!" 2>&1');
  assert.match(lines.join("\n"), /attach: ptrace\(PTRACE_SEIZE, \d+\): Operation not permitted/);
});
