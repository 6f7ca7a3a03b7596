/** The shell at a terminal: prompt, line, run, again. Job control begins here. */
import { baseName } from "../applet.ts";
import { readUsers } from "../accounts.ts";
import { Errno } from "../../../../core/base/errno.ts";
import { concat, decodeBytes, encodeText } from "../../../../core/base/bytes.ts";
import { SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU } from "../signals.ts";
import { complete } from "./complete.ts";
import type { Language } from "./extension.ts";
import { type Interpreter, Interrupted } from "./interpret.ts";
import { stateOf } from "./jobs.ts";
import { type Edited, LineEditor } from "./line-editor.ts";
import { parseScript } from "./lower.ts";
import { freeFd } from "./redirect.ts";
import { drive } from "../run.ts";
import { Exit, type Shell } from "./shell.ts";

const historyMax = 500;

export async function interact(interpreter: Interpreter): Promise<number> {
  const { shell } = interpreter;
  const history: string[] = [];
  takeControl(shell);
  for (;;) {
    await drive(tellJobs(interpreter));
    const text = await readCommand(interpreter, history);
    if (text === null) return shell.status;
    const code = await runOnce(interpreter, text);
    if (code !== null) return code;
  }
}

/** The exit status when the command ends the shell. */
async function runOnce(interpreter: Interpreter, text: string): Promise<number | null> {
  const { shell } = interpreter;
  const status = shell.status;
  try {
    await drive(keepingStatus(interpreter, text, status));
  } catch (thrown) {
    if (thrown instanceof Exit) return thrown.status;
    if (thrown instanceof Interrupted || (thrown instanceof Errno && thrown.errno === "EINTR")) {
      shell.traps.interrupted = false;
      shell.status = 128 + SIGINT;
    } else shell.status = await drive(interpreter.report(thrown));
  }
  Object.assign(shell, { skip: null, loops: 0, functionLine: 0, command: null });
  return null;
}

/** `$?` at a prompt is the last command's. */
function* keepingStatus(interpreter: Interpreter, text: string, status: number): ReturnType<Interpreter["source"]> {
  const { statements, problem } = parseScript(text, 1, interpreter.shell);
  const nodes = [...statements];
  if (nodes.length === 0 && problem === null) return status;
  interpreter.shell.status = status;
  return yield* interpreter.statements(nodes, problem, 0);
}

function* tellJobs(interpreter: Interpreter): ReturnType<Interpreter["collect"]> {
  const { shell } = interpreter;
  yield* interpreter.collect();
  for (const job of shell.jobs.all()) {
    if (!job.told) yield* shell.print(2, shell.jobs.line(job, false, shell.dialect === "ash"));
    job.told = true;
    if (stateOf(job) === "done") shell.jobs.remove(job);
  }
}

/** A process group of its own in the foreground, when there is a terminal to control jobs on. */
function takeControl(shell: Shell): void {
  const { sys, traps } = shell;
  const hasTerminal = sys.isTerminal(0);
  traps.beInteractive([SIGTERM, ...(hasTerminal ? [SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU] : [])], [SIGINT]);
  if (!hasTerminal) return;
  try {
    if (sys.group() !== sys.pid) sys.setGroup(0, 0);
    const terminal = freeFd(sys);
    sys.duplicate(0, terminal);
    sys.setCloseOnExec(terminal, true);
    sys.setForeground(terminal, sys.group());
    shell.terminal = terminal;
    shell.options.add("m");
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
  }
}

/** Lines until they are a whole command; null at the end of input. */
async function readCommand(interpreter: Interpreter, history: string[]): Promise<string | null> {
  let text = "";
  for (;;) {
    const prompt = await promptText(interpreter, text === "" ? "PS1" : "PS2");
    const edited = await readLine(interpreter.shell, prompt, history);
    if (edited.kind === "interrupted") {
      interpreter.shell.traps.interrupted = false;
      interpreter.shell.status = 128 + SIGINT;
      return "";
    }
    if (edited.kind === "end") return text === "" ? ended(interpreter) : text;
    text += `${edited.text}\n`;
    if (!isUnfinished(text, interpreter.shell)) {
      remember(history, text.trimEnd());
      return text;
    }
  }
}

async function ended(interpreter: Interpreter): Promise<null> {
  if (interpreter.shell.sys.isTerminal(0)) await drive(interpreter.shell.print(2, "\n"));
  return null;
}

function isUnfinished(text: string, language: Language): boolean {
  if (/(?:^|[^\\])(?:\\\\)*\\\n$/.test(text)) return true;
  const opened = /<<-?\s*(["']?)([A-Za-z_]\w*)\1/.exec(text)?.[2];
  if (opened !== undefined && !new RegExp(`^\\t*${opened}$`, "m").test(text)) return true;
  return parseScript(text, 1, language).problem?.incomplete ?? false;
}

function remember(history: string[], line: string): void {
  if (line.trim() === "" || history.at(-1) === line) return;
  history.push(line);
  if (history.length > historyMax) history.shift();
}

async function readLine(shell: Shell, prompt: string, history: readonly string[]): Promise<Edited> {
  const { sys } = shell;
  if (!sys.isTerminal(0)) return readPlainLine(shell, prompt);
  const ports = { sys, input: 0, output: 2, history, complete: (before: string) => complete(shell, before) };
  return new LineEditor(ports, prompt).edit();
}

async function readPlainLine(shell: Shell, prompt: string): Promise<Edited> {
  await shell.sys.write(2, encodeText(prompt));
  const bytes: Uint8Array[] = [];
  for (;;) {
    const chunk = await shell.sys.read(0, 1);
    if (chunk.length === 0)
      return bytes.length === 0 ? { kind: "end" } : { kind: "line", text: decodeBytes(concat(bytes)) };
    if (chunk[0] === 10) return { kind: "line", text: decodeBytes(concat(bytes)) };
    bytes.push(chunk);
  }
}

/** A prompt's own escapes (\\u \\h \\w \\W \\$), then its parameters. */
async function promptText(interpreter: Interpreter, name: string): Promise<string> {
  const { shell } = interpreter;
  const text = shell.variables.get(name) ?? "";
  const parts = text.includes("\\") ? await promptParts(shell) : {};
  const replaced = text.replace(/\\([uhHwWne$[\]\\])/g, (whole, letter: string) => {
    const part = parts[letter];
    return part === undefined ? whole : part.replace(/[\\$`]/g, "\\$&");
  });
  return drive(interpreter.prompt(replaced));
}

async function promptParts(shell: Shell): Promise<Readonly<Record<string, string>>> {
  const { sys } = shell;
  const { uid } = sys.credentials();
  const here = shell.variables.get("PWD") ?? "";
  const home = shell.variables.get("HOME") ?? "";
  const isAtHome = home.length > 1 && (here === home || here.startsWith(`${home}/`));
  const short = isAtHome ? `~${here.slice(home.length)}` : here;
  const user = (await readUsers(sys)).find((each) => each.uid === uid);
  return {
    u: user?.name ?? String(uid),
    h: sys.hostname().split(".")[0] ?? "",
    H: sys.hostname(),
    w: short,
    W: baseName(short),
    $: uid === 0 ? "#" : "$",
    n: "\n",
    e: "\x1b",
    "[": "",
    "]": "",
    "\\": "\\",
  };
}
