/** stty: the terminal's size and modes. */
import { applet, type Context, Failure, isTerminal } from "../applet.ts";

const modes = {
  icanon: "canonical",
  echo: "echo",
  isig: "signals",
  opost: "newlines",
} as const;

const groups: Readonly<Record<string, readonly string[]>> = {
  sane: ["icanon", "echo", "isig", "opost"],
  cooked: ["icanon", "isig", "opost"],
  "-raw": ["icanon", "isig", "opost"],
  raw: ["-icanon", "-isig", "-opost"],
  "-cooked": ["-icanon", "-isig", "-opost"],
  cbreak: ["-icanon"],
  "-cbreak": ["icanon"],
};

const stty = applet(async (context) => {
  const { sys, args } = context;
  if (!isTerminal(sys, 0)) throw new Failure("standard input: Inappropriate ioctl for device");
  const words = args.filter((arg) => arg !== "-a" && arg !== "-g");
  if (words.length === 0) return show(context);
  for (const word of words) {
    if (word === "size") {
      const { rows, columns } = sys.terminalSize(0);
      await context.out.print(`${rows} ${columns}\n`);
    } else for (const mode of groups[word] ?? [word]) set(context, mode);
  }
  return 0;
});

function set({ sys }: Context, word: string): void {
  const name = word.replace(/^-/, "");
  if (!(name in modes)) throw new Failure(`invalid argument '${word}'`);
  sys.setTerminalMode(0, { [modes[name as keyof typeof modes]]: !word.startsWith("-") });
}

async function show(context: Context): Promise<number> {
  const { sys } = context;
  const mode = sys.terminalMode(0);
  const { rows, columns } = sys.terminalSize(0);
  const size = context.args.includes("-a") ? ` rows ${rows}; columns ${columns};` : "";
  const words = Object.entries(modes).map(([name, key]) => `${mode[key] ? "" : "-"}${name}`);
  await context.out.print(`speed 38400 baud;${size} line = 0;\n${words.join(" ")}\n`);
  return 0;
}

export const programs = { stty };
