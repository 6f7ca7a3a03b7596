/** tsbox at a terminal: the window's size, keys that are signals, detaching, and the terminal as it was before. */
import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { skipReason } from "../docker-cli/skip.ts";
import { startTsboxd, type Tsboxd } from "../docker-cli/tsboxd.ts";
import { busyboxTar } from "../images/make.ts";

const tsbox = fileURLToPath(new URL("../../bin/tsbox", import.meta.url));
const skip = skipReason() ?? false;
let daemon: Tsboxd;

before(async () => {
  if (skip !== false) return;
  daemon = await startTsboxd();
  run("load", "-q", "-i", await busyboxTar());
});
after(async () => {
  if (skip === false) await daemon.stop();
});

function run(...argv: string[]) {
  return spawnSync(tsbox, ["--host", daemon.host, ...argv], { encoding: "utf8" });
}

/** A shell line under script(1), whose terminal has 30 rows and 90 columns; TSBOX in it is our client. */
class Person {
  readonly #client: ChildProcessWithoutNullStreams;
  #screen = "";
  readonly ended: Promise<number | null>;

  constructor(line: string) {
    const client = `${tsbox} --host ${daemon.host}`;
    this.#client = spawn("script", ["-qec", `stty rows 30 cols 90; ${line.replaceAll("TSBOX", client)}`, "/dev/null"]);
    this.#client.stdout.on("data", (chunk) => {
      this.#screen += String(chunk);
    });
    this.ended = new Promise((resolve) => this.#client.once("close", resolve));
  }

  type(keys: string): void {
    this.#client.stdin.write(keys);
  }

  async sees(expected: RegExp): Promise<void> {
    for (let tries = 0; tries < 1500 && !expected.test(this.#screen); tries++)
      await new Promise((next) => setTimeout(next, 10));
    assert.match(this.#screen, expected);
  }
}

test("a shell has the window's size, lines end once, and exit gives the code", { skip }, async () => {
  const person = new Person("TSBOX run --rm -it busybox sh");
  await person.sees(/# /);
  person.type("stty size\r");
  await person.sees(/\n30 90\r\n/);
  person.type("exit 5\r");
  assert.equal(await person.ended, 5);
});

test("a window that changes is told to the program", { skip }, async () => {
  const person = new Person("(sleep 2; stty rows 41 cols 77 </dev/tty) & TSBOX run --rm -it busybox sh");
  await person.sees(/# /);
  person.type("until stty size | grep '41 77'; do sleep 0.1; done; exit\r");
  await person.sees(/\n41 77/);
  assert.equal(await person.ended, 0);
});

test("ctrl-c reaches the program, not the client", { skip }, async () => {
  const script = 'trap "echo caught; exit 9" INT; echo ready; while true; do sleep 0.05; done';
  const person = new Person(`TSBOX run --rm -it busybox sh -c '${script}'`);
  await person.sees(/ready/);
  person.type("\x03");
  await person.sees(/caught/);
  assert.equal(await person.ended, 9);
});

test("afterwards the terminal is as it was", { skip }, async () => {
  const person = new Person("a=$(stty -g); TSBOX run --rm -it busybox true; [ $a = $(stty -g) ] && echo restored");
  await person.sees(/restored/);
  assert.equal(await person.ended, 0);
});

test("detach keys leave the container running and say so; attach comes back", { skip }, async () => {
  const first = new Person("TSBOX run -it --name left busybox sh");
  await first.sees(/# /);
  first.type("x=kept\r\x10\x11");
  await first.sees(/read escape sequence/);
  assert.equal(await first.ended, 0);
  const second = new Person("TSBOX attach left");
  second.type("echo $x-here\r");
  await second.sees(/kept-here/);
  second.type("exit 3\r");
  assert.equal(await second.ended, 3);
  run("rm", "left");
});

test("exec has a terminal of its own", { skip }, async () => {
  run("run", "-d", "--name", "host", "busybox", "sleep", "1000");
  const person = new Person("TSBOX exec -it host sh");
  await person.sees(/# /);
  person.type("stty size; exit 6\r");
  await person.sees(/30 90/);
  assert.equal(await person.ended, 6);
  run("rm", "-f", "host");
});

test("without a terminal the client forwards signals", { skip }, async () => {
  const script = "trap 'echo terminated; exit 4' TERM; echo ready; while true; do sleep 0.05; done";
  const client = spawn(tsbox, ["--host", daemon.host, "run", "--rm", "busybox", "sh", "-c", script]);
  let output = "";
  await new Promise<void>((resolve) => {
    client.stdout.on("data", (chunk) => {
      output += String(chunk);
      resolve();
    });
  });
  client.kill("SIGTERM");
  const code = await new Promise((resolve) => client.once("close", resolve));
  assert.deepEqual({ code, output }, { code: 4, output: "ready\nterminated\n" });
});
