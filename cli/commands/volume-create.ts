/** `volume create`: makes a volume, with a name of the daemon's choice when none is given. */
import { command } from "../command.ts";
import { flag } from "../flags.ts";
import { checkLabel, toMap } from "../values/environment.ts";

export default command({
  usage: "[OPTIONS] [VOLUME]",
  summary: "Create a volume",
  flags: {
    driver: flag.text("d", "Specify volume driver name", "string", "local"),
    label: flag.list(null, "Set metadata for a volume", "list", checkLabel),
    opt: flag.list("o", "Set driver specific options", "map"),
  },
  min: 0,
  max: 1,
  perform: async ({ options, args: [name = ""], client, ports }) => {
    const { Name } = await client.post<{ Name: string }>(
      "/volumes/create",
      {},
      { Name: name, Driver: options.driver, DriverOpts: toMap(options.opt), Labels: toMap(options.label) },
    );
    await ports.terminal.stdout(`${Name}\n`);
    return 0;
  },
});
