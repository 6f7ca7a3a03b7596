/** `inspect`: all the daemon knows of a container, an image or a volume, as JSON. */
import { segment } from "../client.ts";
import { command } from "../command.ts";
import { CliError } from "../errors.ts";
import { flag } from "../flags.ts";
import { type Lookup, lookup, printInspection } from "../inspection.ts";

/** In the order in which a name is tried. */
function lookups(size: boolean): Readonly<Record<string, Lookup>> {
  return {
    container: lookup((name) => `/containers/${segment(name)}/json`, { size }),
    image: lookup((name) => `/images/${encodeURI(name)}/json`),
    network: lookup((name) => `/networks/${segment(name)}`),
    volume: lookup((name) => `/volumes/${segment(name)}`),
  };
}

export default command({
  usage: "[OPTIONS] NAME|ID [NAME|ID...]",
  summary: "Return low-level information on Docker objects",
  flags: {
    format: flag.text("f", "Format output using a custom template: 'json' or 'TEMPLATE'"),
    size: flag.bool("s", "Display total file sizes if the type is container"),
    type: flag.text(null, "Only inspect objects of the given type"),
  },
  min: 1,
  max: Number.POSITIVE_INFINITY,
  perform: async ({ options, given, args, client, ports, path }) => {
    const all = lookups(options.size);
    const type =
      path === "tsbox container inspect" ? "container" : path === "tsbox image inspect" ? "image" : options.type;
    if (given.has("type") && !Object.hasOwn(all, type))
      throw new CliError(`${JSON.stringify(type)} is not a valid value for --type`);
    const tried = Object.entries(all).filter(([name]) => type === "" || name === type);
    return printInspection(args, options.format, ports.terminal, async (name) => {
      for (const [, find] of tried) {
        const text = await find(client, name);
        if (text !== null) return text;
      }
      throw new CliError(`Error: No such ${type === "" ? "object" : type}: ${name}`);
    });
  },
});
