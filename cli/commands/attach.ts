/** `attach`: joins our terminal to a running container. */
import { attach, followSize, proxySignals } from "../attach.ts";
import { segment } from "../client.ts";
import { command } from "../command.ts";
import { CliError } from "../errors.ts";
import { flag } from "../flags.ts";
import { whenOver } from "../wait.ts";
import type { ContainerInspect } from "../wire.ts";

export default command({
  usage: "[OPTIONS] CONTAINER",
  summary: "Attach local standard input, output, and error streams to a running container",
  flags: {
    "detach-keys": flag.text(null, "Override the key sequence for detaching a container"),
    "no-stdin": flag.bool(null, "Do not attach STDIN"),
    "sig-proxy": flag.bool(null, "Proxy all received signals to the process", true),
  },
  min: 1,
  max: 1,
  perform: async ({ options, args: [container = ""], client, ports }) => {
    const { terminal } = ports;
    const { Id, State, Config } = await client.get<ContainerInspect>(`/containers/${segment(container)}/json`);
    checkState(State);
    const tty = Config.Tty;
    const stdin = Config.OpenStdin && !options["no-stdin"];
    if (stdin && tty && !terminal.stdinIsTty) throw new CliError("the input device is not a TTY");
    const detachKeys = options["detach-keys"];
    const query = { stream: 1, stdin, stdout: 1, stderr: 1, detachKeys: detachKeys || undefined };
    const over = await whenOver(client, Id, "not-running");
    const duplex = await client.hijack(`/containers/${Id}/attach`, query);
    const stopSignals =
      options["sig-proxy"] && !tty
        ? proxySignals(terminal, (signal) => client.post(`/containers/${Id}/kill`, { signal }))
        : null;
    const stopSize = tty ? followSize(terminal, (h, w) => client.post(`/containers/${Id}/resize`, { h, w })) : null;
    try {
      const ending = await attach({ terminal, duplex, tty, stdin, detachKeys });
      return ending === "detached" ? 0 : await over();
    } finally {
      stopSignals?.();
      stopSize?.();
    }
  },
});

function checkState(state: ContainerInspect["State"]): void {
  if (!state.Running) throw new CliError("You cannot attach to a stopped container, start it first");
  if (state.Paused) throw new CliError("You cannot attach to a paused container, unpause it first");
  if (state.Restarting) throw new CliError("You cannot attach to a restarting container, wait until it is running");
}
