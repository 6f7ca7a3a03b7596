/** bash as a program: the shell with what bash has beside the others. */
import { encodeText } from "../../../../../core/base/bytes.ts";
import type { Program } from "../../../kernel/sys.ts";
import { bashWith } from "../sh.ts";
import { Bash } from "./extension.ts";

const versionText =
  "GNU bash, version 5.2.15(1)-release (x86_64-pc-linux-gnu)\nThis is a stand-in by tsbox: it behaves as that version does where it can.\n";

const bash: Program = async (sys, argv, environment) => {
  if (argv[1] !== "--version") return bashWith(new Bash())(sys, argv, environment);
  await sys.write(1, encodeText(versionText));
  return 0;
};

export const programs = { bash };
