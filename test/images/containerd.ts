/** The oracle: Debian's containerd with directories and a socket of its own, and no plugin that needs more than files. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { scratch } from "../../backends/linux/testing/scratch.ts";

export interface Containerd {
  /** `ctr`, in a namespace of its own. */
  readonly ctr: (...args: readonly string[]) => string;
  stop(): Promise<void>;
}

/** Why there can be no oracle here, null when there can. */
export function containerdMissing(): string | null {
  if (process.getuid?.() !== 0) return "containerd needs root";
  return spawnSync("containerd", ["--version"]).status === 0 ? null : "containerd is not installed";
}

const superfluous = ["grpc.v1.cri", ...["aufs", "btrfs", "devmapper", "zfs"].map((name) => `snapshotter.v1.${name}`)];

export async function startContainerd(): Promise<Containerd> {
  const directory = scratch("ctr");
  const address = join(directory, "s");
  const config = join(directory, "config.toml");
  writeFileSync(
    config,
    [
      "version = 2",
      `root = "${join(directory, "root")}"`,
      `state = "${join(directory, "state")}"`,
      `disabled_plugins = [${superfluous.map((name) => `"io.containerd.${name}"`).join(", ")}]`,
      `[grpc]\n  address = "${address}"`,
      `[ttrpc]\n  address = "${join(directory, "t")}"`,
    ].join("\n"),
  );
  const daemon = spawn("containerd", ["-c", config], { stdio: "ignore" });
  const ended = new Promise<void>((resolve) => daemon.once("exit", () => resolve()));
  const stop = async (): Promise<void> => {
    daemon.kill("SIGTERM");
    await ended;
    rmSync(directory, { recursive: true, force: true });
  };
  const base = ["--address", address, "--namespace", "tsbox"];
  for (let tries = 0; spawnSync("ctr", [...base, "version"], { stdio: "ignore" }).status !== 0; tries++) {
    if (tries === 100) return stop().then(() => Promise.reject(new Error("containerd does not answer")));
    await sleep(100);
  }
  return { ctr: (...args) => execFileSync("ctr", [...base, ...args], { encoding: "utf8" }), stop };
}
