/** sed: a script of commands run over each line. */
import { Errno, errnoText } from "../../../../core/base/errno.ts";
import { allLines, applet, type Context, readText, UsageFailure, withInput } from "../applet.ts";
import { type Options, parseOptions } from "../options.ts";
import { Editor, type Input } from "../sed/editor.ts";
import { Parser } from "../sed/script.ts";

const sed = applet(async (context) => {
  const options = parseOptions(joinInPlace(context.args), {
    flags: "nrEsuzV",
    valued: "efI",
    long: {
      expression: "e",
      file: "f",
      quiet: "n",
      silent: "n",
      "regexp-extended": "E",
      "in-place": "I",
      version: "V",
    },
  });
  if (options.has("V")) {
    // Configure scripts look for the version of GNU's.
    await context.out.print("This is not GNU sed version 4.0\n");
    return 0;
  }
  const operands = [...options.operands];
  const script = await scriptOf(context, options, operands);
  const extended = options.has("r") || options.has("E");
  const end = options.has("z") ? "\0" : "\n";
  const editor = new Editor(context, new Parser(script, extended).commands(), { silent: options.has("n"), end });
  if (options.has("I")) await inPlace(context, operands, editor, options.value("I") ?? "");
  else if (options.has("s") && operands.length > 1) await oneByOne(context, operands, editor, end);
  else await editor.run(await inputOf(context, operands, end));
  return editor.code ?? context.code;
});

/** -i takes its suffix attached or not at all. */
function joinInPlace(args: readonly string[]): string[] {
  return args.flatMap((arg) => {
    const [, before, suffix] = /^-([nrEsz]*)i(.*)$/.exec(arg) ?? [];
    if (suffix === undefined) return [arg];
    return [...(before === "" ? [] : [`-${before}`]), "-I", suffix];
  });
}

async function scriptOf(context: Context, options: Options, operands: string[]): Promise<string> {
  const parts = [...options.values("e")];
  for (const file of options.values("f")) parts.push((await readText(context.sys, file)).replace(/\n$/, ""));
  if (parts.length === 0) {
    const first = operands.shift();
    if (first === undefined) throw new UsageFailure("");
    parts.push(first);
  }
  return parts.join("\n");
}

/** -s: each file has a first and a last line. */
async function oneByOne(context: Context, names: readonly string[], editor: Editor, end: string): Promise<void> {
  for (const name of names) if (editor.code === null) await editor.run(await inputOf(context, [name], end));
}

async function inputOf(context: Context, names: readonly string[], end: string): Promise<Input> {
  const input: Input = { lines: [], ended: true };
  for (const name of names.length === 0 ? ["-"] : names) {
    await context.attempt(
      async () => {
        const { lines, ended } = await withInput(context.sys, name, (fd) => allLines(context.sys, fd, end));
        for (const line of lines) input.lines.push(line);
        input.ended = ended;
      },
      (reason) => (reason === "Is a directory" ? `read error on ${name}: ${reason}` : `${name}: ${reason}`),
    );
  }
  return input;
}

async function inPlace(context: Context, names: readonly string[], editor: Editor, suffix: string): Promise<void> {
  const { sys } = context;
  for (const name of names) {
    try {
      const { lines, ended } = await withInput(sys, name, (fd) => allLines(sys, fd));
      const text = await editor.runToText({ lines, ended });
      if (suffix !== "") sys.rename(name, suffix.includes("*") ? suffix.replaceAll("*", name) : name + suffix);
      const fd = await sys.open(name, { access: "write", create: true, truncate: true });
      await sys.write(fd, new TextEncoder().encode(text));
      sys.close(fd);
    } catch (thrown) {
      if (!(thrown instanceof Errno)) throw thrown;
      await context.complain(`${name}: ${errnoText(thrown.errno)}`);
    }
  }
}

export const programs = { sed };
