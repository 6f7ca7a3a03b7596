/** awk: the program on the command line; its language is in ../awk. */
import { bytewise } from "../awk/bytes.ts";
import { parseAwk } from "../awk/parse.ts";
import { Awk } from "../awk/interpret.ts";
import { applet, type Context, Failure, readText, reasonOf, UsageFailure } from "../applet.ts";
import { parseOptions } from "../options.ts";
import { drive } from "../run.ts";

const awk = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "", valued: "Fvfe", inOrder: true });
  const operands = [...options.operands];
  const parts: string[] = [];
  for (const file of options.values("f")) parts.push(await scriptOf(context, file));
  parts.push(...options.values("e"));
  if (parts.length === 0) {
    const text = operands.shift();
    if (text === undefined) throw new UsageFailure("");
    parts.push(text);
  }
  const interpreter = new Awk(context, parseAwk(bytewise(parts.join("\n"))));
  const separator = options.value("F");
  if (separator !== undefined) interpreter.assign(bytewise(`FS=${separator}`));
  for (const assignment of options.values("v")) interpreter.assign(bytewise(assignment));
  return drive(interpreter.run(operands.map(bytewise)));
});

async function scriptOf(context: Context, file: string): Promise<string> {
  try {
    return await readText(context.sys, file);
  } catch (thrown) {
    throw new Failure(`can't open '${file}': ${reasonOf(thrown)}`);
  }
}

export const programs = { awk };
