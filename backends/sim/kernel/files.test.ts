import assert from "node:assert/strict";
import { test } from "node:test";
import { busyboxFile, inProcess, readFile, smallHost, writeFile } from "../testing/small-host.ts";

// What only a whole kernel knows of files: who runs what, who stands where, links of /proc. (test/unionfs/simulated.test.ts
// holds the rest to Linux.)

test("a program that runs is not written to, and one that is being written is not executed: ETXTBSY", () =>
  inProcess(smallHost({ sleeper: (sys) => sys.sleep(1_000_000_000n).then(() => 0) }), async (sys) => {
    const pid = await sys.spawn("/bin/sleeper", ["sleeper"], []);
    await sys.sleep(1_000_000n);
    await assert.rejects(sys.open("/bin/sleeper", { access: "write" }), { errno: "ETXTBSY" });
    assert.throws(() => sys.truncate("/bin/sleeper", 0), { errno: "ETXTBSY" });
    sys.close(await sys.open("/bin/sleeper", { access: "read" }));
    sys.kill(pid, 9);
    await sys.wait(pid);
    const fd = await sys.open("/bin/sleeper", { access: "write" });
    await assert.rejects(sys.spawn("/bin/sleeper", ["sleeper"], []), { errno: "ETXTBSY" });
    sys.close(fd);
    await sys.wait(await sys.spawn("/bin/sleeper", ["sleeper"], []));
  }));

test("a program whose file was removed is still found by its exe link", () =>
  inProcess(smallHost({ sleeper: (sys) => sys.sleep(1_000_000_000n).then(() => 0) }), async (sys) => {
    const pid = await sys.spawn("/bin/sleeper", ["sleeper"], []);
    await sys.sleep(1_000_000n);
    assert.equal(sys.readlink(`/proc/${pid}/exe`), "/bin/sleeper");
    sys.unlink("/bin/sleeper");
    assert.equal(sys.readlink(`/proc/${pid}/exe`), "/bin/sleeper (deleted)");
    assert.equal(sys.stat(`/proc/${pid}/exe`).size, busyboxFile.length);
    sys.kill(pid, 9);
    await sys.wait(pid);
  }));

test("a descriptor's link leads to its file, whatever has become of the name, and to a pipe", () =>
  inProcess(smallHost(), async (sys) => {
    await writeFile(sys, "/tmp/f", "kept");
    const fd = await sys.open("/tmp/f", { access: "read" });
    const link = `/proc/self/fd/${fd}`;
    sys.rename("/tmp/f", "/tmp/g");
    assert.equal(sys.readlink(link), "/tmp/g");
    sys.rename("/tmp/g", "/tmp/f");
    sys.unlink("/tmp/f");
    assert.equal(sys.readlink(link), "/tmp/f (deleted)");
    assert.equal(await readFile(sys, link), "kept");
    const { read } = sys.pipe();
    assert.match(sys.readlink(`/proc/self/fd/${read}`), /^pipe:\[\d+\]$/);
    assert.equal(sys.stat(`/proc/self/fd/${read}`).kind, "fifo");
    assert.equal(sys.lstat(`/proc/self/fd/${read}`).kind, "symlink");
  }));

test("a directory that somebody stands in goes when they leave: until then it is empty, and has no path", () =>
  inProcess(smallHost(), async (sys) => {
    sys.makeDirectory("/tmp/d", 0o755);
    sys.changeDirectory("/tmp/d");
    sys.removeDirectory("/tmp/d");
    assert.equal(sys.stat(".").links, 0);
    assert.deepEqual(sys.list("."), []);
    assert.throws(() => sys.directory(), { errno: "ENOENT" });
    assert.equal(sys.readlink("/proc/self/cwd"), "/tmp/d (deleted)");
    await assert.rejects(sys.open("f", { access: "write", create: true }), { errno: "ENOENT" });
    sys.changeDirectory("..");
    assert.equal(sys.directory(), "/tmp");
  }));

test("another process's root and directory are places: a path goes through their links as they are", () =>
  inProcess(smallHost(), async (sys) => {
    sys.makeDirectory("/tmp/jail", 0o755);
    await writeFile(sys, "/tmp/jail/f", "inside");
    const pid = sys.fork(async (child) => {
      child.changeRoot("/tmp/jail");
      child.changeDirectory("/");
      await child.pause();
      return 0;
    });
    await sys.sleep(1_000_000n);
    assert.equal(await readFile(sys, `/proc/${pid}/root/f`), "inside");
    assert.equal(sys.readlink(`/proc/${pid}/root`), "/tmp/jail");
    assert.equal(await readFile(sys, `/proc/${pid}/cwd/f`), "inside");
    sys.changeDirectory(`/proc/${pid}/cwd`);
    assert.equal(sys.directory(), "/tmp/jail");
  }));

test("they lead into another mount namespace too, and hold what is mounted there", () =>
  inProcess(smallHost(), async (sys) => {
    sys.makeDirectory("/tmp/m", 0o755);
    const pid = sys.fork(async (child) => {
      child.unshare(["mount"]);
      child.mount("tmpfs", "none", "/tmp/m", [], "");
      await writeFile(child, "/tmp/m/f", "theirs");
      await child.sleep(100_000_000n);
      assert.throws(() => child.unmount("/tmp/m"), { errno: "EBUSY" });
      return 0;
    });
    await sys.sleep(1_000_000n);
    assert.deepEqual(sys.list("/tmp/m"), []);
    sys.changeDirectory(`/proc/${pid}/root/tmp/m`);
    assert.equal(await readFile(sys, "f"), "theirs");
    await writeFile(sys, "../m/g", "ours");
    assert.deepEqual(
      sys.list(`/proc/${pid}/root/tmp/m`).map(({ name }) => name),
      ["f", "g"],
    );
    assert.equal((await sys.wait(pid))?.value, 0);
    assert.equal(await readFile(sys, "g"), "ours");
  }));

test("who may not trace a process does not go through its links: EACCES", () =>
  inProcess(smallHost(), async (sys) => {
    const pid = sys.pid;
    const other = sys.fork((child) => {
      child.setCredentials({ groups: [], gid: 1000, uid: 1000 });
      for (const link of ["root", "cwd", "exe"])
        assert.throws(() => child.stat(`/proc/${pid}/${link}`), { errno: link === "exe" ? "ENOENT" : "EACCES" });
      assert.equal(child.stat("/proc/self/root").kind, "directory");
      return Promise.resolve(0);
    });
    assert.equal((await sys.wait(other))?.value, 0);
  }));

test("a directory that was moved out of what is mounted has nothing above it", () =>
  inProcess(smallHost(), async (sys) => {
    for (const path of ["/tmp/a", "/tmp/a/b", "/tmp/m", "/tmp/elsewhere"]) sys.makeDirectory(path, 0o755);
    sys.bind("/tmp/a", "/tmp/m", { recursive: false, flags: [] });
    sys.changeDirectory("/tmp/m/b");
    sys.rename("/tmp/a/b", "/tmp/elsewhere/b");
    assert.throws(() => sys.stat(".."), { errno: "ENOENT" });
  }));
