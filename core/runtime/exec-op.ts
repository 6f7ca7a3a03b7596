/** Which file a command names: the search of execvp(3), decided beforehand as far as it can be. */
import type { ContainerPath } from "../base/brand.ts";
import { containerPath } from "./container-path.ts";
import type { ChildOp } from "./plan.ts";
import type { Process } from "./spec.ts";

/**
 * The exec op of a process. A name with a slash is one candidate, relative to the working
 * directory; any other is looked for in each directory of the environment's PATH; the performer
 * takes the first that the kernel executes.
 */
export function execOp({ args, env, cwd }: Pick<Process, "args" | "env" | "cwd">): ChildOp {
  return { op: "exec", candidates: candidates(args[0], env, cwd), argv: args, environment: env };
}

function candidates(command: string, env: readonly string[], cwd: string): ContainerPath[] {
  if (command === "") return [];
  if (command.includes("/")) return [containerPath(command, cwd)];
  const path = env.find((variable) => variable.startsWith("PATH="))?.slice("PATH=".length) ?? "";
  const directories = path === "" ? [] : path.split(":");
  return [...new Set(directories.map((directory) => containerPath(`${directory || "."}/${command}`, cwd)))];
}
