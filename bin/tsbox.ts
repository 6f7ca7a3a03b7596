/** tsbox: the command line in a terminal. bin/tsbox starts it. */
import { main } from "../cli/index.ts";
import { parseGlobals } from "../cli/globals.ts";
import { messageOf } from "../core/base/error.ts";
import { nodePorts } from "./node-ports.ts";

const argv = process.argv.slice(2);

async function run(): Promise<number> {
  return main(argv, nodePorts(parseGlobals(argv).host, process.env));
}

// Input that is still open must not keep us: the code is known, all output is written.
run().then(
  (code) => process.exit(code),
  (thrown: unknown) => {
    process.stderr.write(`tsbox: ${messageOf(thrown)}\n`);
    process.exit(125);
  },
);
