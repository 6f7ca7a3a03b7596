/** `logs`: what a container wrote, and with -f what it goes on to write. */
import { segment } from "../client.ts";
import { command } from "../command.ts";
import { flag } from "../flags.ts";
import { copyOutput } from "../stream.ts";
import { toTimestamp } from "../values/time.ts";
import type { ContainerInspect } from "../wire.ts";

export default command({
  usage: "[OPTIONS] CONTAINER",
  summary: "Fetch the logs of a container",
  flags: {
    details: flag.bool(null, "Show extra details provided to logs"),
    follow: flag.bool("f", "Follow log output"),
    since: flag.text(null, 'Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m")'),
    tail: flag.text("n", "Number of lines to show from the end of the logs", "string", "all"),
    timestamps: flag.bool("t", "Show timestamps"),
    until: flag.text(null, 'Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m")'),
  },
  min: 1,
  max: 1,
  perform: async ({ options, args: [container = ""], client, ports }) => {
    const { Id, Config } = await client.get<ContainerInspect>(`/containers/${segment(container)}/json`);
    const response = await client.open("GET", `/containers/${Id}/logs`, {
      stdout: 1,
      stderr: 1,
      details: options.details,
      follow: options.follow,
      since: toTimestamp("since", options.since, ports.time),
      until: toTimestamp("until", options.until, ports.time),
      tail: options.tail,
      timestamps: options.timestamps,
    });
    await copyOutput(response.body, ports.terminal, Config.Tty);
    return 0;
  },
});
