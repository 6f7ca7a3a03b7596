/** `system check`: reads the whole store of images, the layers' trees included, and names what is wrong with it. */
import { jsonLines } from "../client.ts";
import { command } from "../command.ts";

interface Finding {
  readonly thing: string;
  readonly path: string;
  readonly problem: string;
  readonly remedy: string;
}

export default command({
  usage: "",
  summary: "Check the stored images and their trees, and say what is damaged and what to do",
  flags: {},
  min: 0,
  max: 0,
  perform: async ({ client, ports }) => {
    const { body } = await client.open("GET", "/tsbox/v1/check");
    let found = 0;
    for await (const line of jsonLines(body)) {
      const { thing, path, problem, remedy } = line as Finding;
      found++;
      await ports.terminal.stdout(`${thing} ${problem}\n  at: ${path}\n  do: ${remedy}\n`);
    }
    if (found === 0) await ports.terminal.stdout("All images are whole.\n");
    return found === 0 ? 0 : 1;
  },
});
