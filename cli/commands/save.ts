/** `save`: writes images to a tar archive. */
import { command } from "../command.ts";
import { CliError } from "../errors.ts";
import { flag } from "../flags.ts";
import { checkOutputFile } from "../output-file.ts";

export default command({
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  summary: "Save one or more images to a tar archive (streamed to STDOUT by default)",
  flags: { output: flag.text("o", "Write to a file, instead of STDOUT") },
  min: 1,
  max: Number.POSITIVE_INFINITY,
  perform: async ({ options, args, client, ports }) => {
    const { terminal, files } = ports;
    if (options.output === "" && terminal.stdoutIsTty)
      throw new CliError("cowardly refusing to save to a terminal. Use the -o flag or redirect");
    if (options.output !== "") await checkOutputFile(options.output, files, "failed to save image");
    const { body } = await client.open("GET", "/images/get", { names: args });
    if (options.output !== "") await files.write(options.output, body);
    else for await (const chunk of body) await terminal.stdout(chunk);
    return 0;
  },
});
