/** `tag`: another name for an image. */
import { command } from "../command.ts";

export default command({
  usage: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
  summary: "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
  flags: {},
  min: 2,
  max: 2,
  perform: async ({ args: [source = "", target = ""], client }) => {
    const [, repo = target, tag = ""] = /^(.*?)(?::([^:/]*))?$/.exec(target) ?? [];
    await client.post(`/images/${encodeURI(source)}/tag`, { repo, tag });
    return 0;
  },
});
