/** Plays scripts on the real kernel, by actors.c, in namespaces of its own. Needs root and a C compiler. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const timeoutMs = 60_000;

/** Where the oracle is compiled to. */
export function compileActors(directory: string): string {
  const path = join(directory, "actors");
  const source = join(import.meta.dirname, "actors.c");
  const { status, stderr } = spawnSync("cc", [
    "-O1",
    "-static",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-o",
    path,
    source,
    "-lrt",
  ]);
  if (status !== 0) throw new Error(stderr.toString());
  return path;
}

/** The end of a shell's script whose $0 plays: in namespaces of its own. */
export const play = 'exec unshare -ipumf --propagation private --mount-proc --kill-child "$0"';

/** `prepare` is a shell's script in a mount namespace of its own that ends with `play`. */
export function playForReal(actors: string, script: readonly string[], prepare = play): string[] {
  const { stdout, stderr, status, error } = spawnSync(
    "setsid",
    ["-w", "unshare", "-m", "--propagation", "private", "sh", "-ec", prepare, actors],
    { input: `${script.join("\n")}\n`, timeout: timeoutMs },
  );
  if (status !== 0) throw error ?? new Error(`the oracle ended with ${status}: ${stderr.toString()}`);
  return stdout.toString().replace(/\n$/, "").split("\n");
}
