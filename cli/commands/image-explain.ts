/** `image explain`: from a name to the bytes, digest by digest. */
import { command } from "../command.ts";
import { flag } from "../flags.ts";
import { indentJson } from "../format/json.ts";

export default command({
  usage: "[OPTIONS] IMAGE",
  summary: "Show how an image's name leads to its bytes, and how each digest comes about",
  flags: { json: flag.bool(null, "Print all of it as JSON, the documents' text included") },
  min: 1,
  max: 1,
  perform: async ({ options, args: [image = ""], client, ports }) => {
    const path = `/tsbox/v1/images/${encodeURI(image)}/explain`;
    const { explanation, lines } = await client.get<{ explanation: unknown; lines: string[] }>(path);
    const text = options.json ? indentJson(JSON.stringify(explanation)) : lines.join("\n");
    await ports.terminal.stdout(`${text}\n`);
    return 0;
  },
});
