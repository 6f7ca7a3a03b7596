/** `start`: starts containers; with -a or -i one of them is attached to, as `run` does. */
import { attachStarting, proxySignals } from "../attach.ts";
import { segment } from "../client.ts";
import { type Call, command, forEachArgument } from "../command.ts";
import { CliError } from "../errors.ts";
import { flag } from "../flags.ts";
import { whenOver } from "../wait.ts";
import type { ContainerInspect } from "../wire.ts";

const flags = {
  attach: flag.bool("a", "Attach STDOUT/STDERR and forward signals"),
  "detach-keys": flag.text(null, "Override the key sequence for detaching a container"),
  interactive: flag.bool("i", "Attach container's STDIN"),
};

export default command({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Start one or more stopped containers",
  flags,
  min: 1,
  max: Number.POSITIVE_INFINITY,
  perform: (call) => (call.options.attach || call.options.interactive ? startAttached(call) : startAll(call)),
});

async function startAll(call: Call<typeof flags>): Promise<number> {
  const failed: string[] = [];
  const code = await forEachArgument(call, async (container) => {
    await call.client.post(`/containers/${segment(container)}/start`).catch((thrown: unknown) => {
      failed.push(container);
      throw thrown;
    });
    return container;
  });
  if (failed.length > 0) throw new CliError(`Error: failed to start containers: ${failed.join(", ")}`);
  return code;
}

async function startAttached({ options, args, client, ports }: Call<typeof flags>): Promise<number> {
  if (args.length > 1) throw new CliError("you cannot start and attach multiple containers at once");
  const { terminal } = ports;
  const { Id, Config, HostConfig } = await client.get<ContainerInspect>(`/containers/${segment(args[0] ?? "")}/json`);
  const tty = Config.Tty;
  const stdin = options.interactive && Config.OpenStdin;
  const detachKeys = options["detach-keys"];
  const query = { stream: 1, stdin, stdout: 1, stderr: 1, detachKeys: detachKeys || undefined };
  const duplex = await client.hijack(`/containers/${Id}/attach`, query);
  const over = await whenOver(client, Id, HostConfig.AutoRemove ? "removed" : "next-exit");
  const started = client.post(`/containers/${Id}/start`);
  const stopSignals = tty
    ? null
    : proxySignals(terminal, (signal) => client.post(`/containers/${Id}/kill`, { signal }));
  try {
    const session = { terminal, duplex, tty, stdin, detachKeys };
    return (await attachStarting(session, { client, id: Id, started })) === "detached" ? 0 : await over();
  } finally {
    stopSignals?.();
  }
}
