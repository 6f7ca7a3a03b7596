/** `push`: an image to a registry. */
import { familiarName, formatReference, parseReference, withDefaultTag } from "../../core/image/reference.ts";
import { command } from "../command.ts";
import { Logins } from "../docker-config.ts";
import { CliError } from "../errors.ts";
import { flag } from "../flags.ts";
import { awaitEnd, showProgress } from "../progress.ts";

export default command({
  usage: "[OPTIONS] NAME[:TAG]",
  summary: "Upload an image to a registry",
  flags: {
    "all-tags": flag.bool("a", "Push all tags of an image to the repository"),
    "disable-content-trust": flag.bool(null, "Skip image signing", true),
    quiet: flag.bool("q", "Suppress verbose output"),
  },
  min: 1,
  max: 1,
  perform: async ({ options, args: [image = ""], client, ports }) => {
    const { terminal } = ports;
    const all = options["all-tags"];
    const typed = parseReference(image);
    if (all && (typed.tag !== null || typed.digest !== null))
      throw new CliError("tag can't be used with --all-tags/-a");
    if (typed.digest !== null) throw new CliError("cannot push a digest reference");
    if (!all && typed.tag === null && !options.quiet) await terminal.stdout("Using default tag: latest\n");
    const reference = all ? typed : withDefaultTag(typed);
    const headers = await new Logins(ports).headerFor(image);
    const path = `/images/${encodeURI(familiarName(reference))}/push`;
    const response = await client.open("POST", path, { tag: reference.tag ?? undefined }, { headers });
    if (!options.quiet) await showProgress(response, terminal);
    else {
      await awaitEnd(response);
      await terminal.stdout(`${formatReference(reference)}\n`);
    }
    return 0;
  },
});
