/** "for ((;;))", `select` and `time`. */
import { decodeBytes } from "../../../../../core/base/bytes.ts";
import { readText } from "../../applet.ts";
import { type Run, settled } from "../../run.ts";
import type { Interpreter } from "../interpret.ts";
import type { ExtendedNode } from "../tree.ts";

type Of<K extends ExtendedNode["kind"]> = Extract<ExtendedNode, { kind: K }>;

export function* count(interpreter: Interpreter, { begin, test, step, body }: Of<"count">, flags: number): Run<number> {
  const { shell, expander } = interpreter;
  const value = (word: Of<"count">["test"]): Run<string> => expander.arithmetic(word);
  yield* value(begin);
  shell.status = 0;
  shell.loops++;
  while ((yield* value(test)) !== "0") {
    yield* interpreter.run(body, flags & 1);
    if (interpreter.leaves()) break;
    if (shell.owes()) yield* shell.pay();
    yield* value(step);
  }
  shell.loops--;
  return shell.status;
}

/** A numbered list on standard error, PS3, and an answer until the body breaks off or the input ends. */
export function* select(interpreter: Interpreter, { name, words, body }: Of<"select">, flags: number): Run<number> {
  const { shell } = interpreter;
  const choices = words === null ? shell.positional : yield* interpreter.expander.fields(words);
  if (choices.length === 0) return 0;
  const width = String(choices.length).length;
  const menu = choices.map((choice, index) => `${String(index + 1).padStart(width)}) ${choice}\n`).join("");
  shell.loops++;
  for (let shows = true; ; ) {
    yield* shell.print(2, (shows ? menu : "") + (shell.variables.get("PS3") ?? "#? "));
    const answer = yield* lineOf(interpreter);
    if (answer === null) break;
    shell.variables.set("REPLY", answer);
    shows = answer === "";
    if (shows) continue;
    shell.variables.set(name, /^\d+$/.test(answer) ? (choices[Number(answer) - 1] ?? "") : "");
    yield* interpreter.run(body, flags & 1);
    if (interpreter.leaves()) break;
  }
  shell.loops--;
  return shell.status;
}

function* lineOf({ shell: { sys } }: Interpreter): Run<string | null> {
  let text = "";
  for (;;) {
    const bytes = yield* settled(sys.read(0, 1));
    if (bytes.length === 0) return text === "" ? null : text;
    if (bytes[0] === 10) return text;
    text += decodeBytes(bytes);
  }
}

export function* timed(interpreter: Interpreter, { node, posix }: Of<"timed">, flags: number): Run<number> {
  const { sys } = interpreter.shell;
  const begun = sys.monotonic();
  const before = yield* processorSeconds(interpreter);
  const status = yield* interpreter.run(node, flags & 1);
  const real = Number(sys.monotonic() - begun) / 1e9;
  const used = (yield* processorSeconds(interpreter)) - before;
  const shown = (seconds: number): string =>
    posix ? seconds.toFixed(2) : `${Math.floor(seconds / 60)}m${(seconds % 60).toFixed(3)}s`;
  const separator = posix ? " " : "\t";
  const lines = [`real${separator}${shown(real)}`, `user${separator}${shown(used)}`, `sys${separator}${shown(0)}`];
  yield* interpreter.shell.print(2, `${posix ? "" : "\n"}${lines.join("\n")}\n`);
  return status;
}

function* processorSeconds({ shell: { sys } }: Interpreter): Run<number> {
  const fields = (yield* settled(readText(sys, "/proc/self/stat"))).replace(/^.*\) /s, "").split(" ");
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100;
}
