/** What is there when a random command's turn comes: told by the last view, and by what was made since. */
import type { Command, Subject } from "./performing.ts";

/** A command, or what becomes one or several when its turn comes. */
export type Step = Command | ((around: Surroundings) => readonly Command[]);

/** Commands by which the last path named comes to be, and as what: null, as what the first one is. */
const makers: ReadonlyMap<string, string | null> = new Map([
  ["mkdir", "directory"],
  ["open", "file"],
  ["link", null],
  ["rename", null],
]);

export class Surroundings {
  #kinds = new Map<string, string>();
  readonly #seen = new Set<string>();

  /** Paths of a kind; null: of any. */
  of(kind: string | null): string[] {
    const all = [...this.#kinds];
    return (kind === null ? all : all.filter(([, is]) => is === kind)).map(([path]) => path);
  }

  is(path: string, kind: string): boolean {
    return this.#kinds.get(path) === kind;
  }

  /** Paths that were there once. */
  get gone(): string[] {
    return [...this.#seen].filter((path) => !this.#kinds.has(path));
  }

  notice([name = "", first = "", second = ""]: Command, said: readonly string[]): void {
    if (name === "view") this.#kinds = new Map(said.flatMap(entryOf));
    const kind = makers.get(name);
    if (kind !== undefined && said[0] === "ok") {
      const path = name === "mkdir" ? first : second;
      this.#kinds.set(path, kind ?? this.#kinds.get(first) ?? "file");
    }
    for (const path of this.#kinds.keys()) this.#seen.add(path);
  }
}

function entryOf(line: string): [path: string, kind: string][] {
  const parts = /^\/(\S+) ([a-z]+) /.exec(line);
  return parts === null ? [] : [[parts[1] ?? "", parts[2] ?? ""]];
}

/** Performs steps, and says which commands they became. */
export async function carryOut(
  subject: Subject,
  steps: readonly Step[],
): Promise<{ script: readonly Command[]; said: readonly string[] }> {
  const around = new Surroundings();
  const script: Command[] = [];
  const said: string[] = [];
  for (const step of steps) {
    for (const command of typeof step === "function" ? step(around) : [step]) {
      const lines = await subject.run([command]);
      around.notice(command, lines);
      script.push(command);
      said.push(...lines);
    }
  }
  return { script, said };
}
