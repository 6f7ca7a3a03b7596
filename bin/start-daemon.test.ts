/** A client that finds nobody at the default address, in a machine of its own: mounts and processes are private. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const tsbox = fileURLToPath(new URL("tsbox", import.meta.url));
const skip = process.getuid?.() === 0 ? false : "needs root: it makes namespaces";

/** With empty /run and /var/lib; when the script ends, every process in it does. */
function inPrivate(script: string) {
  const prepare = "mount -t tmpfs none /run && mount -t tmpfs none /var/lib && mount -t proc none /proc";
  const line = ["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", `${prepare} && ${script}`];
  const { TSBOX_HOST: _, DOCKER_HOST: __, ...environment } = process.env;
  const { stdout, stderr, status } = spawnSync("unshare", line, { encoding: "utf8", env: environment });
  return { stdout, stderr, status };
}

const table = "REPOSITORY   TAG       IMAGE ID   CREATED   SIZE\n";

test("the daemon is started, once, and said so", { skip }, () => {
  assert.deepEqual(inPrivate(`${tsbox} images; ${tsbox} images`), {
    stdout: table + table,
    stderr: "tsbox: started the daemon: tsboxd --idle-minutes 10 (log: /run/tsbox/tsboxd.log)\n",
    status: 0,
  });
});

test("a daemon that cannot start is quoted", { skip }, () => {
  const { stderr, status } = inPrivate(`echo > /var/lib/tsbox; ${tsbox} images`);
  assert.match(stderr, /^tsboxd did not start: tsboxd: .*\/var\/lib\/tsbox/);
  assert.equal(status, 1);
});

test("at any other address it is not started: one line says what to do", { skip }, () => {
  assert.deepEqual(inPrivate(`${tsbox} --host unix:///run/other.sock ps; echo $?; find /run -name '*tsbox*'`), {
    stdout: "1\n",
    stderr: "Cannot connect to the tsbox daemon at unix:///run/other.sock. Is it running? start it with: tsboxd\n",
    status: 0,
  });
});

test("the launcher follows links and passes words and exit codes through", { skip }, () => {
  const script = `ln -s ${tsbox} /run/first; cd /run; ln -s first second; ./second run --foo 2>&1 | head -1; PATH=/run:$PATH second 'no such'`;
  const { stdout, stderr, status } = inPrivate(script);
  assert.equal(stdout, "unknown flag: --foo\n");
  assert.match(stderr, /^tsbox: unknown command: tsbox no such\n/);
  assert.equal(status, 1);
});
