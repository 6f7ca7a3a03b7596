/** `rename`: gives a container another name. */
import { segment } from "../client.ts";
import { messageOf } from "../../core/base/error.ts";
import { command } from "../command.ts";
import { CliError } from "../errors.ts";

export default command({
  usage: "CONTAINER NEW_NAME",
  summary: "Rename a container",
  flags: {},
  min: 2,
  max: 2,
  perform: async ({ args: [container = "", name = ""], client }) => {
    await client.post(`/containers/${segment(container)}/rename`, { name }).catch((thrown: unknown) => {
      throw new CliError(`${messageOf(thrown)}\nError: failed to rename container named ${container}`);
    });
    return 0;
  },
});
