/** `sim advance`: time of a simulated machine passes at once, with all that happens in it. */
import { command } from "../command.ts";
import { CliError } from "../errors.ts";
import { parseDuration } from "../values/time.ts";

export default command({
  usage: "DURATION",
  summary: "Let time pass at once on a simulated machine, with all that happens in it",
  flags: {},
  min: 1,
  max: 1,
  perform: async ({ args: [text = ""], client, ports }) => {
    const ms = parseDuration(text);
    if (ms === null) throw new CliError(`invalid duration ${JSON.stringify(text)}: expected one as 90s, 1h or 1h30m`);
    const { now } = await client.post<{ now: string }>("/tsbox/v1/sim/advance", { ms: Math.ceil(ms) });
    await ports.terminal.stdout(`${now}\n`);
    return 0;
  },
});
