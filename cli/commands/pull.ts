/** `pull`: an image from a registry. */
import { parseReference } from "../../core/image/reference.ts";
import { command } from "../command.ts";
import { CliError } from "../errors.ts";
import { flag } from "../flags.ts";
import { pullImage } from "../pull-image.ts";

export default command({
  usage: "[OPTIONS] NAME[:TAG|@DIGEST]",
  summary: "Download an image from a registry",
  flags: {
    "all-tags": flag.bool("a", "Download all tagged images in the repository"),
    "disable-content-trust": flag.bool(null, "Skip image verification", true),
    platform: flag.text(null, "Set platform if server is multi-platform capable"),
    quiet: flag.bool("q", "Suppress verbose output"),
  },
  min: 1,
  max: 1,
  perform: async ({ options, args: [image = ""], client, ports }) => {
    const { terminal } = ports;
    const all = options["all-tags"];
    const { tag, digest } = parseReference(image);
    if (all && (tag !== null || digest !== null)) throw new CliError("tag can't be used with --all-tags/-a");
    if (!all && tag === null && digest === null && !options.quiet) await terminal.stdout("Using default tag: latest\n");
    const shown = options.quiet ? null : terminal;
    const name = await pullImage({ client, ports }, image, { platform: options.platform, all, terminal: shown });
    await terminal.stdout(`${name}\n`);
    return 0;
  },
});
