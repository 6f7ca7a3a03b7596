/**
 * `npm run test:vm`, or `node test/vm/run.ts [--memory MB] [--timeout SECONDS] -- COMMAND…`: runs a command of this
 * checkout as root in a virtual machine with Debian's kernel and cgroup v2 alone, and ends with its exit code.
 *
 * The machine sees the host's files, read-only with a layer in memory above; so the same Node and the same tests run
 * there. Of the checkout it sees a copy: the guest remembers a file's size, and one that is edited on the host while
 * the machine runs would be cut short in it. The machine is emulated (qemu's TCG), because nested virtualisation cannot
 * be relied on: expect a tenth of the speed.
 * TSBOX_VM_ACCEL=kvm uses the processor's own.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { scratch } from "../../backends/linux/testing/scratch.ts";
import { type GuestCommand, makeInitramfs } from "./initramfs.ts";
import { findKernel, type Kernel } from "./kernel.ts";

const checkout = fileURLToPath(new URL("../..", import.meta.url));
const cache = process.env["TSBOX_VM_CACHE"] ?? join(tmpdir(), "tsbox-vm-cache");
const virtiofsd = ["/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd"].find((path) => existsSync(path));

/** What `npm run test:vm` runs when nothing else is asked: every test that touches the kernel. */
const kernelTests = ["scripts/test.ts", "kernel"];

process.exitCode = await main();

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { memory: { type: "string", default: "4096" }, timeout: { type: "string", default: "3000" } },
  });
  const reason = whyNot();
  if (reason !== null) {
    process.stdout.write(`the virtual machine was not started: ${reason}\n0 passed, 0 failed, 1 skipped\n`);
    return 0;
  }
  const argv = positionals.length > 0 ? positionals : [process.execPath, ...kernelTests];
  return await boot(findKernel(cache), argv, Number(values.memory), Number(values.timeout));
}

function whyNot(): string | null {
  if (process.platform !== "linux" || process.arch !== "x64") return "it needs Linux on x86-64";
  if (process.getuid?.() !== 0) return "sharing the host's files needs root";
  if (virtiofsd === undefined) return "virtiofsd is missing: apt-get install qemu-system-common";
  const missing = ["qemu-system-x86_64", "cpio", "depmod"].filter((name) => !onPath(name));
  return missing.length === 0 ? null : `${missing.join(", ")} not found: apt-get install qemu-system-x86 cpio kmod`;
}

function onPath(program: string): boolean {
  return (process.env["PATH"] ?? "").split(":").some((directory) => existsSync(join(directory, program)));
}

function guestCommand(argv: readonly string[], copy: string): GuestCommand {
  const path = `${dirname(process.execPath)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;
  return { argv, directory: checkout, copy, environment: { PATH: path, HOME: "/root", TSBOX_VM: "1" } };
}

/** All but what is installed and git's own, which nobody edits. */
function copyCheckout(copy: string): void {
  const left = new Set(["node_modules", ".git"].map((name) => join(checkout, name)));
  cpSync(checkout, copy, { recursive: true, filter: (path) => !left.has(path) });
  mkdirSync(join(copy, "node_modules"));
}

async function boot(kernel: Kernel, argv: readonly string[], memoryMb: number, timeoutS: number): Promise<number> {
  const directory = scratch("vm", tmpdir());
  const started = performance.now();
  let share: ChildProcess | null = null;
  try {
    copyCheckout(join(directory, "checkout"));
    const command = guestCommand(argv, join(directory, "checkout"));
    writeFileSync(join(directory, "initramfs"), makeInitramfs(kernel, command));
    share = await shareRoot(join(directory, "share"));
    await runMachine(qemuArguments(directory, kernel, memoryMb), timeoutS);
    return exitCode(join(directory, "exit"));
  } finally {
    share?.kill("SIGKILL");
    rmSync(directory, { recursive: true });
    process.stderr.write(`the machine ran ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
  }
}

/** Serves the host's root to the machine; it ends with the machine's connection. */
async function shareRoot(socket: string): Promise<ChildProcess> {
  const daemon = spawn(
    virtiofsd ?? "",
    [`--socket-path=${socket}`, "-o", "source=/,cache=always,sandbox=chroot,log_level=err,xattr", "--rlimit-nofile=0"],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let said = "";
  daemon.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  for (let waitedMs = 0; !existsSync(socket); waitedMs += 20) {
    if (daemon.exitCode !== null || waitedMs > 5000) throw new Error(`virtiofsd did not start: ${said}`);
    await sleep(20);
  }
  return daemon;
}

function qemuArguments(directory: string, kernel: Kernel, memoryMb: number): string[] {
  const accelerator =
    process.env["TSBOX_VM_ACCEL"] === "kvm"
      ? ["-accel", "kvm", "-cpu", "host"]
      : ["-accel", "tcg,thread=multi", "-cpu", "max"];
  return [
    accelerator,
    ["-m", `${memoryMb}`, "-smp", "2", "-nodefaults", "-no-reboot", "-display", "none", "-nic", "none"],
    ["-object", `memory-backend-memfd,id=mem,size=${memoryMb}M,share=on`, "-numa", "node,memdev=mem"],
    [
      "-chardev",
      `socket,id=share,path=${join(directory, "share")}`,
      "-device",
      "vhost-user-fs-pci,chardev=share,tag=host",
    ],
    ["-device", "virtio-rng-pci", "-serial", "stdio", "-serial", `file:${join(directory, "exit")}`],
    ["-kernel", kernel.image, "-initrd", join(directory, "initramfs")],
    ["-append", "console=ttyS0 quiet loglevel=1 panic=-1 cgroup_no_v1=all"],
  ].flat();
}

/** Resolves when the machine is off, by itself or because its time was up. */
async function runMachine(args: readonly string[], timeoutS: number): Promise<void> {
  const machine = spawn("qemu-system-x86_64", args, { stdio: ["ignore", "inherit", "inherit"] });
  const stop = (): void => void machine.kill("SIGKILL");
  const timer = setTimeout(() => {
    process.stderr.write(`the machine was stopped after ${timeoutS} s\n`);
    stop();
  }, timeoutS * 1000);
  process.once("SIGTERM", stop).once("SIGINT", stop);
  await once(machine, "exit");
  clearTimeout(timer);
  process.off("SIGTERM", stop).off("SIGINT", stop);
}

/** What the machine wrote on its second serial line; nothing when it never got so far. */
function exitCode(file: string): number {
  const text = existsSync(file) ? readFileSync(file, "utf8").trim() : "";
  if (/^\d+$/.test(text)) return Number(text);
  process.stderr.write("the machine ended without running the command to its end\n");
  return 255;
}
