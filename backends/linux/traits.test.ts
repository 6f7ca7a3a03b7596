/** Traits of hosts that are not this one, read from what their kernels print. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { cgroupHierarchies, hardLimits, isAtLeast, mayBeIdMapped, probeTraits, rangeFor } from "./traits.ts";

const everything = { controllers: () => "", writable: () => true };

describe("the host's traits", () => {
  test("on pure cgroup v2 one hierarchy has every controller", () => {
    const mountinfo = "30 24 0:26 / /sys/fs/cgroup rw,nosuid,nodev shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
    const controllers = () => "cpuset cpu io memory hugetlb pids rdma misc\n";
    assert.deepEqual(cgroupHierarchies({ ...everything, mountinfo, controllers }), [
      { version: 2, mount: "/sys/fs/cgroup", controllers: ["unified", "cpuset", "cpu", "blkio", "memory", "pids"] },
    ]);
  });

  test("on cgroup v1 each mount is a hierarchy, however its controllers are combined; named ones do not count", () => {
    const mountinfo = [
      "25 24 0:23 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755",
      "26 25 0:24 / /sys/fs/cgroup/systemd rw shared:9 - cgroup cgroup rw,xattr,name=systemd",
      "27 25 0:25 / /sys/fs/cgroup/cpu,cpuacct rw shared:10 - cgroup cgroup rw,cpu,cpuacct",
      "28 25 0:26 / /sys/fs/cgroup/a\\040b rw shared:11 - cgroup cgroup rw,memory",
      "29 25 0:26 / /mnt/memory rw shared:11 - cgroup cgroup rw,memory",
      "30 25 0:27 / /sys/fs/cgroup/unified rw shared:12 - cgroup2 cgroup2 rw",
      "31 25 0:28 / /sys/fs/cgroup/pids rw shared:13 - cgroup cgroup rw,pids",
    ].join("\n");
    const writable = (path: string) => !path.endsWith("pids");
    assert.deepEqual(cgroupHierarchies({ ...everything, mountinfo, writable }), [
      { version: 1, mount: "/sys/fs/cgroup/cpu,cpuacct", controllers: ["cpu", "cpuacct"] },
      { version: 1, mount: "/sys/fs/cgroup/a b", controllers: ["memory"] },
      { version: 2, mount: "/sys/fs/cgroup/unified", controllers: ["unified"] },
    ]);
  });

  test("kernel versions compare as numbers", () => {
    const versions = ["6.5.0", "6.10.3-1-cloud-amd64", "6.4.16", "5.19.0", "7.0-rc1", "10.0"];
    assert.deepEqual(
      versions.map((version) => isAtLeast(version, 6, 5)),
      [true, true, false, false, true, true],
    );
  });

  test("subordinate ids are the first range of the user, by name or by number", () => {
    const file = "other:100000:65536\n1000:1:0\n1000:200000:65536\nme:300000:10\n";
    assert.deepEqual(rangeFor(file, { username: "me", uid: 1000 }), { start: 200000, count: 65536 });
    assert.deepEqual(rangeFor(file, { username: "other", uid: 7 }), { start: 100000, count: 65536 });
    assert.equal(rangeFor(file, { username: "nobody", uid: 8 }), null);
  });

  test("hard limits are the column after the soft ones", () => {
    const file = [
      "Limit                     Soft Limit           Hard Limit           Units     ",
      "Max cpu time              unlimited            unlimited            seconds   ",
      "Max open files            1024                 20000                files     ",
      "Max nice priority         0                    0                    ",
      "Max core file size        0                    unlimited            bytes     ",
    ].join("\n");
    assert.deepEqual(hardLimits(file), { nofile: 20000, nice: 0 });
  });

  test("id-mapped mounts came later to tmpfs than to disks", () => {
    const [tmpfs, ext4] = [0x01021994, 0xef53];
    const kernels = ["5.15.0", "5.19.0-1", "6.1.0-50-amd64", "6.3.0"];
    assert.deepEqual(
      kernels.map((kernel) => mayBeIdMapped(kernel, ext4)),
      [false, true, true, true],
    );
    assert.deepEqual(
      kernels.map((kernel) => mayBeIdMapped(kernel, tmpfs)),
      [false, false, false, true],
    );
  });

  test("this host has what Node says it has", () => {
    const { processors, memoryBytes, architecture, kernel } = probeTraits({ dataRoot: "/", cgroupParent: "tsbox" });
    assert.ok(processors > 0 && memoryBytes > 1 << 26 && /^\d+\.\d+/.test(kernel));
    assert.equal(architecture, process.arch === "x64" ? "amd64" : "arm64");
  });
});
