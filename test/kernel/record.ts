/**
 * Records what the kernel answers to the scripts, and to random ones ("random"). Needs root, a C compiler, and for the
 * random ones control groups (../userland/own-groups.ts).
 *
 *   node test/kernel/record.ts [SUBJECT…]
 */
import { rmSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { scratch, sweep } from "../../backends/linux/testing/scratch.ts";
import { type Played, recordedDirectory, type Script, scriptsOf, subjects } from "./cases.ts";
import { recordedScripts } from "./random.ts";
import { compileActors, playForReal } from "./real.ts";
import { playInRealScene } from "./scene.ts";

sweep();
const work = scratch("kernel");
try {
  const actors = compileActors(work);
  const wanted = process.argv.slice(2);
  for (const subject of wanted.length > 0 ? wanted : [...subjects(), "random"]) {
    const isRandom = subject === "random";
    const play = (lines: readonly string[]): string[] =>
      isRandom ? playInRealScene(actors, lines) : playForReal(actors, lines);
    record(subject, isRandom ? recordedScripts() : scriptsOf(subject), play);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}

function record(subject: string, scripts: readonly Script[], play: (lines: readonly string[]) => string[]): void {
  const played = scripts.map((script): Played => ({ ...script, answers: play(script.lines) }));
  const recording = { oracle: `Linux ${release()}, recorded by test/kernel/record.ts`, played };
  writeFileSync(join(recordedDirectory, `${subject}.json`), `${JSON.stringify(recording, null, 1)}\n`);
  process.stderr.write(`${subject}: ${played.length}\n`);
}
