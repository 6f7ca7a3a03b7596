/** `volume inspect`: all the daemon knows of volumes, as JSON. */
import { segment } from "../client.ts";
import { command } from "../command.ts";
import { flag } from "../flags.ts";
import { printInspection } from "../inspection.ts";

export default command({
  usage: "[OPTIONS] VOLUME [VOLUME...]",
  summary: "Display detailed information on one or more volumes",
  flags: { format: flag.text("f", "Format output using a custom template: 'json' or 'TEMPLATE'") },
  min: 1,
  max: Number.POSITIVE_INFINITY,
  perform: ({ options, args, client, ports }) =>
    printInspection(args, options.format, ports.terminal, (name) => client.text("GET", `/volumes/${segment(name)}`)),
});
