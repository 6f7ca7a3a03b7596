/** Makes a script on which both differ as short as it can be. */
import type { Command } from "./performing.ts";

const frame = new Set(["mount", "mkdir!", "enter", "leave", "umount"]);

/**
 * Takes away commands, many at once and then each alone, as long as the script still fails (delta debugging:
 * Zeller and Hildebrandt, 2002). What mounts and enters stays.
 */
export async function shortened(
  script: readonly Command[],
  fails: (script: readonly Command[]) => Promise<boolean>,
): Promise<readonly Command[]> {
  let left = script;
  for (let size = Math.ceil(script.length / 2); size > 0; ) {
    const before = left.length;
    for (let at = 0; at < left.length; ) {
      const without = left.filter((command, index) => index < at || index >= at + size || frame.has(command[0] ?? ""));
      if (without.length < left.length && (await fails(without))) left = without;
      else at += size;
    }
    if (size > 1 || left.length === before) size = size === 1 ? 0 : Math.floor(size / 2);
  }
  return left;
}
