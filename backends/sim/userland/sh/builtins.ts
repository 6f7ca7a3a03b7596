/** The builtins by name. POSIX's special ones keep their assignments, and their errors end a script. */
import type { Builtin } from "./builtin.ts";
import { controlBuiltins, controlSpecials } from "./builtins-control.ts";
import { extensionBuiltins } from "./builtins-extensions.ts";
import { ioBuiltins } from "./builtins-io.ts";
import { jobBuiltins } from "./builtins-jobs.ts";
import { variableBuiltins, variableSpecials } from "./builtins-variables.ts";

export const specials: ReadonlyMap<string, Builtin> = new Map(
  Object.entries({ ...controlSpecials, ...variableSpecials }),
);

export const builtins: ReadonlyMap<string, Builtin> = new Map(
  Object.entries({ ...controlBuiltins, ...variableBuiltins, ...ioBuiltins, ...jobBuiltins }),
);

/** What ash and bash have beside them, or instead of them. */
export const extensions: ReadonlyMap<string, Builtin> = new Map(Object.entries(extensionBuiltins));

/** Those whose arguments are assignments. */
export const assigning: ReadonlySet<string> = new Set(["export", "readonly", "local"]);
