/**
 * Records what the kernel answers to the scripts. Needs root and a C compiler.
 *
 *   node test/kernel/record.ts [SUBJECT…]
 */
import { writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { scratch, sweep } from "../../backends/linux/testing/scratch.ts";
import { rmSync } from "node:fs";
import { type Played, recordedDirectory, scriptsOf, subjects } from "./cases.ts";
import { compileActors, playForReal } from "./real.ts";

sweep();
const work = scratch("kernel");
try {
  const actors = compileActors(work);
  const wanted = process.argv.slice(2);
  for (const subject of wanted.length > 0 ? wanted : subjects()) {
    const played = scriptsOf(subject).map(
      (script): Played => ({ ...script, answers: playForReal(actors, script.lines) }),
    );
    const recording = { oracle: `Linux ${release()}, recorded by test/kernel/record.ts`, played };
    writeFileSync(join(recordedDirectory, `${subject}.json`), `${JSON.stringify(recording, null, 1)}\n`);
    process.stderr.write(`${subject}: ${played.length}\n`);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
