/** `create`: a container that is not started yet. */
import { command } from "../command.ts";
import { createContainer } from "../create-container.ts";
import { ApiError, startFailure } from "../errors.ts";
import { createFlags } from "../run-options.ts";

export default command({
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  summary: "Create a new container",
  flags: createFlags,
  min: 1,
  max: Number.POSITIVE_INFINITY,
  passThrough: true,
  perform: async (call) => {
    try {
      const id = await createContainer(call, { stdin: call.options.interactive, stdout: true, stderr: true });
      await call.ports.terminal.stdout(`${id}\n`);
      return 0;
    } catch (thrown) {
      if (thrown instanceof ApiError) throw thrown;
      throw startFailure(thrown, call.path);
    }
  },
});
