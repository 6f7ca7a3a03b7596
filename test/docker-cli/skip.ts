/** Why the docker client cannot be run against tsboxd here, null when it can. */
import { spawnSync } from "node:child_process";
import { imagesMissing } from "../images/make.ts";

export function skipReason(): string | null {
  if (process.platform !== "linux") return "containers need Linux";
  if (process.getuid?.() !== 0) return "containers need root";
  if (spawnSync("docker", ["--version"]).status !== 0) return "the docker client is not installed";
  return imagesMissing("busybox", "tar", "umoci", "skopeo");
}
