/**
 * Bad input, as a user meets it: each command below is refused with one clear error that names the
 * thing and with the right exit code, and leaves nothing: no mount, cgroup, process, socket or
 * directory more than there was before it.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, before, describe, test } from "node:test";
import { startTsboxd, type Tsboxd } from "../docker-cli/tsboxd.ts";
import { hostileArchives } from "../images/hostile.ts";
import { busyboxTar, imagesMissing } from "../images/make.ts";
import { leftSince, snapshot, type Snapshot } from "../left/left.ts";

const missing = process.getuid?.() === 0 ? imagesMissing() : "running containers needs root";
const tsbox = fileURLToPath(new URL("../../bin/tsbox.ts", import.meta.url));

interface Case {
  readonly what: string;
  readonly command: readonly string[];
  readonly code: number;
  /** What the error must say, in one line. */
  readonly says: RegExp;
}

/** Those of the hostile archives that are tried through the client too; all are, against the engine, in test/images. */
const throughClient =
  /climbs|out of the image|a device|that lies|plain layer that lies|blob that is not its digest|without rootfs|cut short|in a circle/;

const run = (...rest: string[]): string[] => ["run", "--rm", ...rest];

const refused: readonly Case[] = [
  {
    what: "an image that is not there",
    command: run("127.0.0.1:9/nosuch"),
    code: 125,
    says: /cannot reach 127\.0\.0\.1:9: connection refused; is the registry running\?/,
  },
  { what: "an image name that is none", command: run("UPPER CASE"), code: 125, says: /invalid reference format/ },
  {
    what: "a command that does not exist",
    command: run("busybox", "nosuch"),
    code: 127,
    says: /exec: "nosuch": executable file not found in \$PATH/,
  },
  {
    what: "a path that does not exist",
    command: run("busybox", "/no/such"),
    code: 127,
    says: /exec: "\/no\/such".*no such file or directory/,
  },
  {
    what: "a directory as command",
    command: run("busybox", "/etc"),
    code: 126,
    says: /exec: "\/etc".*permission denied/,
  },
  {
    what: "a file that is not executable",
    command: run("busybox", "/etc/passwd"),
    code: 126,
    says: /exec: "\/etc\/passwd".*permission denied/,
  },
  {
    what: "a name in use",
    command: run("--name", "taken", "busybox", "true"),
    code: 125,
    says: /container name "\/taken" is already in use/,
  },
  {
    what: "a name that is none",
    command: run("--name", "a b", "busybox", "true"),
    code: 125,
    says: /Invalid container name \(a b\)/,
  },
  {
    what: "a user that is not there",
    command: run("-u", "nobodyhere", "busybox", "true"),
    code: 125,
    says: /nobodyhere/,
  },
  {
    what: "too little memory",
    command: run("-m", "1m", "busybox", "true"),
    code: 125,
    says: /Minimum memory limit allowed is 6MB/,
  },
  {
    what: "a size that is none",
    command: run("-m", "lots", "busybox", "true"),
    code: 125,
    says: /invalid (?:argument )?.*lots/,
  },
  {
    what: "more processors than there are",
    command: run("--cpus", "1000", "busybox", "true"),
    code: 125,
    says: /Range of CPUs/,
  },
  {
    what: "a bind whose source is missing",
    command: run("--mount", "type=bind,source=/no/such,target=/x", "busybox", "true"),
    code: 125,
    says: /\/no\/such/,
  },
  {
    what: "a volume name that is none",
    command: run("-v", "no/such/volume:/x", "busybox", "true"),
    code: 125,
    says: /no\/such\/volume/,
  },
  {
    what: "a mount over the root",
    command: run("-v", "/tmp:/", "busybox", "true"),
    code: 125,
    says: /destination can't be '\/'/,
  },
  {
    what: "a directory that is not absolute",
    command: run("-w", "relative", "busybox", "true"),
    code: 125,
    says: /relative/,
  },
  {
    what: "a working directory that is a file",
    command: run("-w", "/etc/passwd", "busybox", "true"),
    code: 125,
    says: /\/etc\/passwd/,
  },
  {
    what: "a capability that is none",
    command: run("--cap-add", "CAP_FLY", "busybox", "true"),
    code: 125,
    says: /CAP_FLY/,
  },
  {
    what: "a network that is not there",
    command: run("--network", "nosuchnet", "busybox", "true"),
    code: 125,
    says: /nosuchnet/,
  },
  {
    what: "a flag that is none",
    command: run("--nosuchflag", "busybox"),
    code: 125,
    says: /unknown flag: --nosuchflag/,
  },
  { what: "no image at all", command: ["run"], code: 1, says: /requires at least 1 argument/ },
  {
    what: "exec in a container that is not there",
    command: ["exec", "nosuch", "true"],
    code: 1,
    says: /No such container: nosuch/,
  },
  {
    what: "logs of a container that is not there",
    command: ["logs", "nosuch"],
    code: 1,
    says: /No such container: nosuch/,
  },
  { what: "removing what runs", command: ["rm", "taken"], code: 1, says: /taken/ },
  {
    what: "loading a file that is not there",
    command: ["load", "-i", "/no/such.tar"],
    code: 1,
    says: /\/no\/such\.tar/,
  },
];

describe("bad input", { skip: missing ?? false, concurrency: false }, () => {
  let daemon: Tsboxd;
  let clean: Snapshot;

  const command = (args: readonly string[]) =>
    spawnSync(process.execPath, [tsbox, ...args], {
      encoding: "utf8",
      env: { ...process.env, TSBOX_HOST: daemon.host },
    });
  const succeed = (...args: string[]): string => {
    const { status, stdout, stderr } = command(args);
    assert.equal(status, 0, stderr);
    return stdout.trim();
  };
  const narrow = () => ({
    directories: ["run", "data/containers", "data/tmp", "data/layers"].map((name) => join(daemon.directory, name)),
    // Its cgroups are beneath one of the same name.
    mine: (line: string) => line.includes(basename(daemon.directory)),
  });

  before(async () => {
    daemon = await startTsboxd();
    succeed("load", "-i", await busyboxTar());
    succeed("run", "-d", "--name", "taken", "busybox", "sleep", "1000");
    clean = snapshot(narrow());
  });

  after(async () => {
    await daemon.stop();
  });

  for (const { what, command: args, code, says } of refused) {
    test(`${what} is refused and leaves nothing`, async () => {
      const { status, stderr } = command(args);
      assert.match(stderr, says);
      assert.equal(status, code, stderr);
      const clear = stderr.split("\n").filter((line) => says.test(line));
      assert.equal(clear.length, 1, `one line says it: ${stderr}`);
      assert.deepEqual(await leftSince(clean, narrow()), []);
    });
  }

  test("a truncated image is refused wherever it is cut, and leaves nothing", async () => {
    const whole = readFileSync(await busyboxTar());
    for (const share of [0, 0.001, 0.3, 0.7, 0.95]) {
      const path = join(daemon.directory, "cut.tar");
      writeFileSync(path, whole.subarray(0, Math.floor(whole.length * share)));
      const { status, stderr } = command(["load", "-i", path]);
      assert.equal(status, 1, `cut at ${share}: ${stderr}`);
      assert.notEqual(stderr.trim(), "");
      assert.deepEqual(await leftSince(clean, narrow()), [], `cut at ${share}`);
    }
  });

  test("a lying archive is refused in one line that names the thing, and leaves nothing", async () => {
    const archives = hostileArchives.filter(({ name }) => throughClient.test(name));
    assert.ok(archives.length >= 10, `${archives.length} archives`);
    for (const { name, make, says } of archives) {
      const bytes = await make();
      if (!(bytes instanceof Uint8Array)) continue; // gigabytes
      const path = join(daemon.directory, "hostile.tar");
      writeFileSync(path, bytes);
      const { status, stderr } = command(["load", "-i", path]);
      assert.equal(status, 1, `${name}: ${stderr}`);
      assert.equal(stderr.split("\n").filter((line) => says.test(line)).length, 1, `${name}: ${stderr}`);
      assert.deepEqual(await leftSince(clean, narrow()), [], name);
    }
  });

  test("a monitor that is killed takes its container along, and nothing is left once that is removed", async () => {
    const id = succeed("run", "-d", "busybox", "sleep", "1000");
    const pid = Number(succeed("inspect", "-f", "{{.State.Pid}}", id));
    process.kill(parentOf(pid), "SIGKILL");
    assert.notEqual(succeed("wait", id), "0");
    assert.match(succeed("inspect", "-f", "{{.State.Status}}", id), /exited|dead/);
    succeed("rm", id);
    assert.deepEqual(await leftSince(clean, narrow()), []);
  });

  test("a helper that is killed is replaced: the running container goes on, the next one starts", async () => {
    const taken = Number(succeed("inspect", "-f", "{{.State.Pid}}", "taken"));
    process.kill(helperOf(daemon.pid), "SIGKILL");
    const { status, stderr } = command(run("busybox", "true"));
    assert.ok(status === 0 || /helper/.test(stderr), stderr);
    succeed("run", "--rm", "busybox", "true");
    assert.equal(Number(succeed("inspect", "-f", "{{.State.Pid}}", "taken")), taken);
    assert.equal(succeed("exec", "taken", "echo", "alive"), "alive");
  });
});

describe("a full disk", { skip: missing ?? false, concurrency: false }, () => {
  let daemon: Tsboxd;

  const command = (...args: string[]) =>
    spawnSync(process.execPath, [tsbox, ...args], {
      encoding: "utf8",
      env: { ...process.env, TSBOX_HOST: daemon.host },
    });
  /** Everything in the data root but what fills it. */
  const files = () => {
    const all = readdirSync(join(daemon.directory, "data"), { recursive: true, encoding: "utf8" });
    return all.filter((name) => name !== "filler").toSorted();
  };
  const filler = () => join(daemon.directory, "data/filler");

  before(async () => {
    daemon = await startTsboxd({ dataSize: "24m" });
  });
  after(async () => {
    await daemon.stop();
  });

  const refuses = async (what: string, code: number, ...args: string[]) => {
    const [before, clean] = [files(), snapshot({ mine: (line) => line.includes(basename(daemon.directory)) })];
    fillUp(filler());
    const { status, stderr } = command(...args);
    assert.match(stderr, /no space left on device/i, what);
    assert.equal(status, code, `${what}: ${stderr}`);
    assert.deepEqual(files(), before, what);
    assert.deepEqual(await leftSince(clean, { mine: (line) => line.includes(basename(daemon.directory)) }), [], what);
    rmSync(filler());
  };

  test("refuses an image, leaves nothing of it, and takes it once there is room", async () => {
    await refuses("load", 1, "load", "-i", await busyboxTar());
    assert.equal(command("load", "-i", await busyboxTar()).status, 0);
  });

  test("refuses a container and a volume, leaves nothing of them, and runs them once there is room", async () => {
    await refuses("run", 125, "run", "--rm", "busybox", "true");
    await refuses("run with a volume", 125, "run", "--rm", "-v", "kept:/kept", "busybox", "true");
    assert.equal(command("run", "--rm", "busybox", "echo", "room").stdout, "room\n");
  });
});

/** Leaves not a block free. */
function fillUp(path: string): void {
  const block = new Uint8Array(4096);
  const file = openSync(path, "w");
  try {
    for (;;) writeSync(file, block);
  } catch (thrown) {
    if (!(thrown instanceof Error && "code" in thrown && thrown.code === "ENOSPC")) throw thrown;
  } finally {
    closeSync(file);
  }
}

function parentOf(pid: number): number {
  const [, after = ""] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ");
  return Number(after.split(" ")[1]);
}

/** The daemon's child that serves plans. */
function helperOf(daemon: number): number {
  const children = readFileSync(`/proc/${daemon}/task/${daemon}/children`, "utf8").trim().split(" ").map(Number);
  const [helper] = children;
  assert.ok(helper !== undefined && children.length === 1, `the daemon has one child: ${children.join(" ")}`);
  return helper;
}
