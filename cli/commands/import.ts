/** `import`: an image of a root file system's tar. */
import { jsonLines } from "../client.ts";
import { command } from "../command.ts";
import { CliError } from "../errors.ts";
import { flag } from "../flags.ts";

export default command({
  usage: "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
  summary: "Import the contents from a tarball to create a filesystem image",
  flags: {
    change: flag.list("c", "Apply Dockerfile instruction to the created image"),
    message: flag.text("m", "Set commit message for imported image"),
    platform: flag.text(null, "Set platform if server is multi-platform capable"),
  },
  min: 1,
  max: 2,
  perform: async ({ options, args: [source = "", reference = ""], client, ports }) => {
    const { terminal, files } = ports;
    const isUrl = /^https?:\/\//.test(source);
    if (source !== "-" && !isUrl && !(await files.exists(source)))
      throw new CliError(`open ${source}: no such file or directory`);
    const body = source === "-" ? terminal.stdin : files.read(source);
    const [, repo = reference, tag = ""] = /^(.*?)(?::([^:/]*))?$/.exec(reference) ?? [];
    const { message, platform, change } = options;
    const query = { fromSrc: isUrl ? source : "-", repo, tag, message, platform, changes: change };
    const response = await client.open("POST", "/images/create", query, isUrl ? {} : { body });
    for await (const line of jsonLines(response.body)) {
      const { status, error } = line as { status?: string; error?: string };
      if (error !== undefined) throw new CliError(error);
      if (status !== undefined) await terminal.stdout(`${status}\n`);
    }
    return 0;
  },
});
