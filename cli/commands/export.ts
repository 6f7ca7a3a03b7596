/** `export`: writes a container's files to a tar archive. */
import { segment } from "../client.ts";
import { command } from "../command.ts";
import { CliError } from "../errors.ts";
import { flag } from "../flags.ts";
import { checkOutputFile } from "../output-file.ts";

export default command({
  usage: "[OPTIONS] CONTAINER",
  summary: "Export a container's filesystem as a tar archive",
  flags: { output: flag.text("o", "Write to a file, instead of STDOUT") },
  min: 1,
  max: 1,
  perform: async ({ options, args: [container = ""], client, ports }) => {
    const { terminal, files } = ports;
    if (options.output === "" && terminal.stdoutIsTty)
      throw new CliError("cowardly refusing to save to a terminal. Use the -o flag or redirect");
    if (options.output !== "") await checkOutputFile(options.output, files, "failed to export container");
    const { body } = await client.open("GET", `/containers/${segment(container)}/export`);
    if (options.output !== "") await files.write(options.output, body);
    else for await (const chunk of body) await terminal.stdout(chunk);
    return 0;
  },
});
