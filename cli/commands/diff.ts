/** `diff`: what a container wrote, one path a line: A added, C changed, D deleted. */
import { segment } from "../client.ts";
import { command } from "../command.ts";
import type { FilesystemChange } from "../wire.ts";

const letters = ["C", "A", "D"] as const;

export default command({
  usage: "CONTAINER",
  summary: "Inspect changes to files or directories on a container's filesystem",
  flags: {},
  min: 1,
  max: 1,
  perform: async ({ args: [container = ""], client, ports }) => {
    const changes = await client.get<FilesystemChange[] | null>(`/containers/${segment(container)}/changes`);
    const lines = (changes ?? []).map(({ Kind, Path }) => `${letters[Kind]} ${Path}\n`);
    await ports.terminal.stdout(lines.join(""));
    return 0;
  },
});
