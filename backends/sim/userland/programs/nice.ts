/** nice (GNU's) and renice: how much of the processor a process gets among others. */
import type { PriorityOf, Sys } from "../../kernel/sys.ts";
import { findUser, readUsers } from "../accounts.ts";
import { applet, type Context, Failure, reasonOf, UsageFailure } from "../applet.ts";
import { parseOptions } from "../options.ts";
import { execute } from "./run.ts";

/** A command that cannot be started at all: GNU's exit code for its own mistakes. */
const ownFailure = 125;

const nice = applet(async (context) => {
  const { sys, out } = context;
  const given = context.args.map((arg) => (/^-\d+$/.test(arg) ? `-n${arg.slice(1)}` : arg));
  const options = parseOptions(given, { flags: "", valued: "n", inOrder: true, long: { adjustment: "n" } });
  const adjustment = options.value("n");
  if (adjustment !== undefined && !/^[+-]?\d+$/.test(adjustment))
    throw new Failure(`invalid adjustment '${adjustment}'`, ownFailure);
  if (options.operands.length === 0 && adjustment !== undefined)
    throw new Failure(
      "a command must be given with an adjustment\nTry 'nice --help' for more information.",
      ownFailure,
    );
  const old = sys.priority("process", 0);
  if (options.operands.length === 0) {
    await out.print(`${old}\n`);
    return 0;
  }
  try {
    sys.setPriority("process", 0, old + Number(adjustment ?? "10"));
  } catch (thrown) {
    await context.complain(`cannot set niceness: ${reasonOf(thrown)}`);
  }
  return execute(context, options.operands);
});

const whichOf: Readonly<Record<string, PriorityOf>> = { "-p": "process", "-g": "group", "-u": "user" };

/** renice [-n] PRIORITY [[-p|g|u] ID...]... */
const renice = applet(async (context) => {
  const words = [...context.args];
  const isAdded = words[0] === "-n";
  if (isAdded) words.shift();
  const priority = words.shift();
  if (priority === undefined) throw new UsageFailure("");
  const wanted = numberOf(priority);
  let which: PriorityOf = "process";
  for (const word of words) {
    const named = whichOf[word];
    if (named !== undefined) which = named;
    else
      await reniceOne(
        context,
        which,
        which === "user" ? await userOf(context.sys, word) : numberOf(word),
        wanted,
        isAdded,
      );
  }
  return context.code;
});

async function reniceOne(
  context: Context,
  which: PriorityOf,
  who: number,
  wanted: number,
  isAdded: boolean,
): Promise<void> {
  const { sys } = context;
  const call = (name: string, act: () => void): Promise<boolean> =>
    context.attempt(act, (reason) => `${name}: ${reason}`);
  let base = 0;
  const isKnown =
    !isAdded ||
    (await call("getpriority", () => {
      base = sys.priority(which, who);
    }));
  if (isKnown) await call("setpriority", () => sys.setPriority(which, who, base + wanted));
}

function numberOf(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw new Failure(`invalid number '${text}'`);
  return Number(text);
}

async function userOf(sys: Sys, name: string): Promise<number> {
  const user = findUser(await readUsers(sys), name);
  if (user === null) throw new Failure(`unknown user ${name}`);
  return user.uid;
}

export const programs = { nice, renice };
