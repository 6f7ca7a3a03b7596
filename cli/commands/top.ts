/** `top`: the processes of a container, as ps(1) of the host shows them. */
import { segment } from "../client.ts";
import { command } from "../command.ts";
import { tabular } from "../format/table.ts";

export default command({
  usage: "CONTAINER [ps OPTIONS]",
  summary: "Display the running processes of a container",
  flags: {},
  min: 1,
  max: Number.POSITIVE_INFINITY,
  passThrough: true,
  perform: async ({ args: [container = "", ...words], client, ports }) => {
    const query = { ps_args: words.length === 0 ? undefined : words.join(" ") };
    const top = await client.get<{ Titles: string[]; Processes: string[][] | null }>(
      `/containers/${segment(container)}/top`,
      query,
    );
    await ports.terminal.stdout(tabular([top.Titles, ...(top.Processes ?? [])], { minimum: 20, padding: 3 }));
    return 0;
  },
});
