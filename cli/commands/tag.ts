/** `tag`: another name for an image. */
import { messageOf } from "../../core/base/error.ts";
import { parseReference, type Reference } from "../../core/image/reference.ts";
import { command } from "../command.ts";
import { CliError } from "../errors.ts";

export default command({
  usage: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
  summary: "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
  flags: {},
  min: 2,
  max: 2,
  perform: async ({ args: [source = "", target = ""], client }) => {
    const { tag, digest } = parsed(target);
    if (digest !== null) throw new CliError("refusing to create a tag with a digest reference");
    const repo = tag === null ? target : target.slice(0, -tag.length - 1);
    await client.post(`/images/${encodeURI(source)}/tag`, { repo, tag: tag ?? "" });
    return 0;
  },
});

function parsed(target: string): Reference {
  try {
    return parseReference(target);
  } catch (thrown) {
    throw new CliError(
      `Error parsing reference: ${JSON.stringify(target)} is not a valid repository/tag: ${messageOf(thrown)}`,
    );
  }
}
