import assert from "node:assert/strict";
import { test } from "node:test";
import { openTerminal } from "./world.ts";

test("a prompt shows where one is, and a command's output follows the typed line", async () => {
  const terminal = await openTerminal();
  assert.equal(terminal.screen(), "~ # ");
  await terminal.type("echo hello\r");
  assert.deepEqual(terminal.lines().slice(-3), ["~ # echo hello", "hello", "~ # "]);
});

test("the line is edited: arrows, words, what is cut", async () => {
  const terminal = await openTerminal();
  await terminal.type("cho one two\u0001e\u0005\u0017three\r");
  assert.deepEqual(terminal.lines().slice(-2), ["one three", "~ # "]);
  await terminal.type("xecho ab\u001b[D\u001b[DX\u0001\u001b[3~\r");
  assert.deepEqual(terminal.lines().slice(-2), ["Xab", "~ # "]);
  await terminal.type("echo gone\u0015echo kept\r");
  assert.deepEqual(terminal.lines().slice(-2), ["kept", "~ # "]);
});

test("history comes back by arrow and by search", async () => {
  const terminal = await openTerminal();
  await terminal.type("echo first\recho second\r");
  await terminal.type("\u001b[A\u001b[A\r");
  assert.deepEqual(terminal.lines().slice(-2), ["first", "~ # "]);
  await terminal.type("\u0012sec\r\r");
  assert.deepEqual(terminal.lines().slice(-2), ["second", "~ # "]);
});

test("Tab completes commands, files and variables; twice it lists", async () => {
  const terminal = await openTerminal();
  await terminal.type("hostn\t\r");
  assert.deepEqual(terminal.lines().slice(-2), ["tsbox", "~ # "]);
  await terminal.type("cat d/sub/de\t\r");
  assert.deepEqual(terminal.lines().slice(-2), ["deep", "~ # "]);
  await terminal.type("echo $HOM\t\r");
  assert.deepEqual(terminal.lines().slice(-2), ["/t", "~ # "]);
  await terminal.type("ls t\t\t\u0015");
  assert.ok(terminal.lines().includes("table  tabs"));
});

test("a command may go over several lines", async () => {
  const terminal = await openTerminal();
  await terminal.type("for i in 1 2\rdo echo $i\rdone\r");
  assert.deepEqual(terminal.lines().slice(-4), ["> done", "1", "2", "~ # "]);
});

test("Ctrl-C ends the foreground program, not the shell; Ctrl-C on a line gives it up", async () => {
  const terminal = await openTerminal();
  await terminal.type("sleep inf\r");
  await terminal.type("\u0003");
  await terminal.type("echo $?\r");
  assert.deepEqual(terminal.lines().slice(-2), ["130", "~ # "]);
  await terminal.type("echo not run\u0003");
  await terminal.type("while :; do :; done\r", { endless: true });
  await terminal.type("\u0003");
  await terminal.type("echo alive\r");
  assert.deepEqual(terminal.lines().slice(-2), ["alive", "~ # "]);
});

test("Ctrl-Z stops a job; jobs, bg, fg and kill %1 see to it", async () => {
  const terminal = await openTerminal();
  await terminal.type("sleep inf\r");
  await terminal.type("\u001a");
  await terminal.type("jobs\r");
  assert.deepEqual(terminal.lines().slice(-2), ["[1] + Stopped                    sleep inf", "~ # "]);
  await terminal.type("bg\r");
  await terminal.type("jobs\r");
  assert.deepEqual(terminal.lines().slice(-2), ["[1] + Running                    sleep inf", "~ # "]);
  await terminal.type("fg\r");
  await terminal.type("\u0003");
  await terminal.type("jobs; echo $?\r");
  assert.deepEqual(terminal.lines().slice(-2), ["0", "~ # "]);
});

test("a background job runs while one types, and its end is told at a prompt", async () => {
  const terminal = await openTerminal();
  await terminal.type("sleep inf &\r");
  await terminal.type("ps | grep -c 'sleep inf'\r");
  assert.deepEqual(terminal.lines().slice(-2), ["2", "~ # "]);
  await terminal.type("kill %1\r");
  await terminal.type("\r");
  assert.ok(terminal.lines().some((line) => line.startsWith("[1] + Terminated")));
});

test("Ctrl-D on an empty line and exit end the shell with the last status", async () => {
  const terminal = await openTerminal();
  await terminal.type("false\r");
  await terminal.type("\u0004");
  assert.equal(terminal.exitCode(), 1);
});

test("vi writes what was typed", async () => {
  const terminal = await openTerminal();
  await terminal.type("vi new\r");
  await terminal.type("ihello\rworld\u001b");
  await terminal.type("kyyp:wq\r");
  await terminal.type("cat new\r");
  assert.deepEqual(terminal.lines().slice(-4), ["hello", "hello", "world", "~ # "]);
});

test("less shows a page and ends at q", async () => {
  const terminal = await openTerminal();
  await terminal.type("seq 100 | less\r");
  assert.ok(terminal.lines().includes("23"));
  assert.ok(!terminal.lines().includes("24"));
  await terminal.type("q");
  await terminal.type("echo back\r");
  assert.deepEqual(terminal.lines().slice(-2), ["back", "~ # "]);
});

test("typing ahead is not lost", async () => {
  const terminal = await openTerminal();
  await terminal.type("read x; echo got $x\rword\recho next\r");
  assert.deepEqual(terminal.lines().slice(-2), ["next", "~ # "]);
  assert.ok(terminal.lines().includes("got word"));
});
