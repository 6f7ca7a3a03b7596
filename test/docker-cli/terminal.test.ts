/** A person at a terminal: keys that are signals, detaching and coming back, the window's size. */
import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { after, before, test } from "node:test";
import { busyboxTar } from "../images/make.ts";
import { skipReason } from "./skip.ts";
import type { Tsboxd } from "./tsboxd.ts";
import { startTsboxd } from "./tsboxd.ts";

const skip = skipReason() ?? false;
let daemon: Tsboxd;

before(async () => {
  if (skip !== false) return;
  daemon = await startTsboxd();
  spawnSync("docker", ["-H", daemon.host, "load", "-i", await busyboxTar()]);
});
after(async () => {
  if (skip === false) await daemon.stop();
});

/** A docker client under script(1), which gives it a terminal of 30 rows and 90 columns. */
class Person {
  readonly #client: ChildProcessWithoutNullStreams;
  #screen = "";
  readonly ended: Promise<number | null>;

  constructor(command: string) {
    const line = `stty rows 30 cols 90; docker -H ${daemon.host} ${command}`;
    this.#client = spawn("script", ["-qec", line, "/dev/null"]);
    this.#client.stdout.on("data", (chunk) => {
      this.#screen += String(chunk);
    });
    this.ended = new Promise((resolve) => this.#client.once("close", resolve));
  }

  type(keys: string): void {
    this.#client.stdin.write(keys);
  }

  async sees(expected: RegExp): Promise<void> {
    for (let tries = 0; tries < 1000 && !expected.test(this.#screen); tries++)
      await new Promise((next) => setTimeout(next, 10));
    assert.match(this.#screen, expected);
  }
}

const inspect = (format: string, name: string) =>
  spawnSync("docker", ["-H", daemon.host, "inspect", "-f", format, name], { encoding: "utf8" }).stdout.trim();

test("a shell: what is typed is run, the window has a size, exit gives the code", { skip }, async () => {
  const person = new Person("run --rm -it busybox sh");
  await person.sees(/# /);
  person.type("stty size\r");
  await person.sees(/30 90/);
  person.type("exit 5\r");
  assert.equal(await person.ended, 5);
});

test("ctrl-c reaches the program, not the client", { skip }, async () => {
  const person = new Person(
    `run --rm -it busybox sh -c 'trap "echo caught; exit 9" INT; echo ready; while true; do sleep 0.05; done'`,
  );
  await person.sees(/ready/);
  person.type("\x03");
  await person.sees(/caught/);
  assert.equal(await person.ended, 9);
});

test("detach keys leave the container running, and attach comes back to it", { skip }, async () => {
  const first = new Person("run -it --name left busybox sh");
  await first.sees(/# /);
  first.type("x=kept\r\x10\x11");
  await first.ended;
  assert.equal(inspect("{{.State.Status}}", "left"), "running");
  const second = new Person("attach left");
  second.type("echo $x-here\r");
  await second.sees(/kept-here/);
  second.type("exit 3\r");
  assert.equal(await second.ended, 3);
  assert.equal(inspect("{{.State.ExitCode}}", "left"), "3");
});

test("an exec session has a terminal and detach keys of its own", { skip }, async () => {
  spawnSync("docker", ["-H", daemon.host, "run", "-d", "--name", "host", "busybox", "sleep", "1000"]);
  const person = new Person("exec -it --detach-keys ctrl-a,q host sh");
  await person.sees(/# /);
  person.type("\x10\x11stty size\r");
  await person.sees(/30 90/);
  person.type("\x01q");
  await person.ended;
  assert.equal(inspect("{{.State.Status}}", "host"), "running");
});

test("without a terminal the client forwards signals", { skip }, async () => {
  const script = "trap 'echo terminated; exit 4' TERM; echo ready; while true; do sleep 0.05; done";
  const client = spawn("docker", ["-H", daemon.host, "run", "--rm", "busybox", "sh", "-c", script]);
  let output = "";
  const ready = new Promise<void>((resolve) => {
    client.stdout.on("data", (chunk) => {
      output += String(chunk);
      resolve();
    });
  });
  await ready;
  client.kill("SIGTERM");
  const code = await new Promise((resolve) => client.once("close", resolve));
  assert.deepEqual({ code, output }, { code: 4, output: "ready\nterminated\n" });
});
