/** `load`: reads images from a tar archive. */
import { jsonLines } from "../client.ts";
import { command } from "../command.ts";
import { CliError } from "../errors.ts";
import { flag } from "../flags.ts";

interface Message {
  readonly stream?: string;
  readonly status?: string;
  readonly id?: string;
  readonly error?: string;
}

export default command({
  usage: "[OPTIONS]",
  summary: "Load an image from a tar archive or STDIN",
  flags: {
    input: flag.text("i", "Read from tar archive file, instead of STDIN"),
    platform: flag.text(null, "Load only the given platform variant"),
    quiet: flag.bool("q", "Suppress the load output"),
  },
  min: 0,
  max: 0,
  perform: async ({ options, client, ports }) => {
    const { terminal, files } = ports;
    if (options.input === "" && terminal.stdinIsTty)
      throw new CliError("requested load from stdin, but stdin is empty");
    if (options.input !== "" && !(await files.exists(options.input)))
      throw new CliError(`open ${options.input}: no such file or directory`);
    const body = options.input === "" ? terminal.stdin : files.read(options.input);
    const response = await client.open(
      "POST",
      "/images/load",
      { quiet: options.quiet || !terminal.stdoutIsTty ? 1 : 0, platform: options.platform || undefined },
      { body, headers: { "content-type": "application/x-tar" } },
    );
    for await (const line of jsonLines(response.body)) {
      const { stream, status, error } = line as Message;
      if (error !== undefined) throw new CliError(error);
      if (stream !== undefined) await terminal.stdout(stream);
      else if (status !== undefined && terminal.stdoutIsTty) continue;
    }
    return 0;
  },
});
