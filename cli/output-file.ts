/** The file that `save -o` and `export -o` write to: looked at before the daemon is asked, in Docker's words. */
import { CliError } from "./errors.ts";
import type { Files } from "./ports.ts";

/** `problem` begins the error: "failed to save image". */
export async function checkOutputFile(path: string, files: Files, problem: string): Promise<void> {
  const directory = path.includes("/") ? path.slice(0, Math.max(path.lastIndexOf("/"), 1)) : ".";
  if (!(await files.exists(directory)))
    throw new CliError(`${problem}: invalid output path: stat ${directory}: no such file or directory`);
}
