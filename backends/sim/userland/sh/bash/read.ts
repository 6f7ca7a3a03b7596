/** read and mapfile. */
import { type Run, settled } from "../../run.ts";
import { assignRead, readLine } from "../builtins-io.ts";
import type { Interpreter } from "../interpret.ts";
import { ShellError } from "../shell.ts";
import { isName } from "../variables.ts";
import { listArray } from "./arrays.ts";
import { refuse } from "./saying.ts";

interface Reading {
  raw: boolean;
  array: string | null;
  end: string;
  count: number | null;
  exact: boolean;
  fd: number;
  seconds: number | null;
  prompt: string;
  silent: boolean;
}

function readingOf(args: readonly string[]): { reading: Reading; names: readonly string[] } {
  const reading: Reading = {
    raw: false,
    array: null,
    end: "\n",
    count: null,
    exact: false,
    fd: 0,
    seconds: null,
    prompt: "",
    silent: false,
  };
  let at = 0;
  for (; /^-./.test(args[at] ?? "") && args[at] !== "--"; at++) {
    const cluster = (args[at] ?? "").slice(1);
    for (let place = 0; place < cluster.length; place++) {
      const letter = cluster.charAt(place);
      if (letter === "r") reading.raw = true;
      else if (letter === "s") reading.silent = true;
      else if (letter === "e") continue;
      else {
        const attached = cluster.slice(place + 1);
        const value = attached === "" ? (args[++at] ?? "") : attached;
        if (letter === "a") reading.array = value;
        else if (letter === "d") reading.end = value === "" ? "\0" : value.charAt(0);
        else if (letter === "n" || letter === "N")
          Object.assign(reading, { count: Number(value), exact: letter === "N" });
        else if (letter === "u") reading.fd = Number(value);
        else if (letter === "t") reading.seconds = Number(value);
        else if (letter === "p") reading.prompt = value;
        else throw new ShellError(`-${letter}: invalid option`, 2);
        break;
      }
    }
  }
  return { reading, names: args.slice(args[at] === "--" ? at + 1 : at) };
}

export function* read(interpreter: Interpreter, args: readonly string[]): Run<number> {
  const { shell } = interpreter;
  const { sys } = shell;
  const { reading, names } = readingOf(args);
  for (const name of names)
    if (!isName(name.replace(/\[.*\]$/, ""))) return yield* refuse(shell, `\`${name}': not a valid identifier`);
  if (reading.prompt !== "" && sys.isTerminal(reading.fd)) yield* shell.print(2, reading.prompt);
  if (reading.seconds !== null) {
    const wait = BigInt(Math.round(reading.seconds * 1e9));
    const ready = yield* settled(sys.poll([{ fd: reading.fd, read: true, write: false }], wait));
    if (ready.length === 0) return reading.seconds === 0 ? 1 : 142;
    if (reading.seconds === 0) return 0;
  }
  const quiet = reading.silent && sys.isTerminal(reading.fd);
  if (quiet) sys.setTerminalMode(reading.fd, { echo: false });
  try {
    return yield* readWith(interpreter, reading, names);
  } finally {
    if (quiet) sys.setTerminalMode(reading.fd, { echo: true });
  }
}

function* readWith({ shell }: Interpreter, reading: Reading, names: readonly string[]): Run<number> {
  const { line, ended } = yield* readLine(shell.sys, reading.fd, reading.raw, reading.end, reading.count ?? Infinity);
  const whole = line.map(({ char }) => char).join("");
  if (reading.exact || (names.length === 0 && reading.array === null)) {
    for (const [index, name] of (names.length === 0 ? ["REPLY"] : names).entries())
      shell.variables.set(name, index === 0 ? whole : "");
  } else if (reading.array !== null) {
    const parts = Array.from({ length: line.length + 1 }, (_, index) => `.${index}`);
    const fields = new Map<string, string>();
    assignRead(shell, parts, line, (name, value) => fields.set(name, value));
    const values = [...fields.values()];
    while (values.at(-1) === "") values.pop();
    listArray(shell.variables, reading.array, values);
  } else assignRead(shell, names, line);
  return ended ? 0 : 1;
}

export function* mapfile({ shell }: Interpreter, args: readonly string[]): Run<number> {
  const { reading, names } = readingOf(args.filter((arg) => arg !== "-t"));
  const keeps = !args.includes("-t");
  const lines: string[] = [];
  for (;;) {
    const { line, ended } = yield* readLine(shell.sys, reading.fd, true, reading.end, Infinity);
    if (line.length === 0 && !ended) break;
    lines.push(line.map(({ char }) => char).join("") + (keeps && ended ? reading.end : ""));
    if (!ended) break;
  }
  listArray(shell.variables, names[0] ?? "MAPFILE", lines);
  return 0;
}
