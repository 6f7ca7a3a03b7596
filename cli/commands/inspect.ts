/** `inspect`: all the daemon knows of a container, an image or a volume, as JSON. */
import { type Client, segment } from "../client.ts";
import { command } from "../command.ts";
import { ApiError, CliError } from "../errors.ts";
import { flag } from "../flags.ts";
import { printInspection } from "../inspection.ts";

type Lookup = (client: Client, name: string) => Promise<string>;

/** In the order in which a name is tried. */
function lookups(size: boolean): Readonly<Record<string, Lookup>> {
  return {
    container: (client, name) => client.text("GET", `/containers/${segment(name)}/json`, { size }),
    image: (client, name) => client.text("GET", `/images/${encodeURI(name)}/json`),
    network: (client, name) => client.text("GET", `/networks/${segment(name)}`),
    volume: (client, name) => client.text("GET", `/volumes/${segment(name)}`),
  };
}

/** `tsbox container inspect` looks for containers only. */
const typeInPath: Readonly<Record<string, string>> = {
  "tsbox container inspect": "container",
  "tsbox image inspect": "image",
};

function nullWhenMissing(thrown: unknown): null {
  if (thrown instanceof ApiError && thrown.status === 404) return null;
  throw thrown;
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
  perform: async ({ options, args, client, ports, path }) => {
    const all = lookups(options.size);
    const type = typeInPath[path] ?? options.type;
    if (type !== "" && !Object.hasOwn(all, type)) {
      const types = Object.keys(all).map((each) => JSON.stringify(each));
      throw new CliError(`unknown type: ${JSON.stringify(type)}: must be one of ${types.join(", ")}`);
    }
    return printInspection(args, options.format, ports.terminal, async (name) => {
      for (const find of type === "" ? Object.values(all) : []) {
        const text = await find(client, name).catch(nullWhenMissing);
        if (text !== null) return text;
      }
      const only = all[type];
      if (only !== undefined) return only(client, name);
      throw new CliError(`Error: No such object: ${name}`);
    });
  },
});
