/** `run`: create, attach and wait, start, copy until the end, exit with the program's code. */
import type { PlanStep } from "../../core/runtime/explain.ts";
import { attachStarting, proxySignals } from "../attach.ts";
import { type Call, command } from "../command.ts";
import { createContainer } from "../create-container.ts";
import { CliError, startFailure } from "../errors.ts";
import { flag } from "../flags.ts";
import { createFlags } from "../run-options.ts";
import { whenOver } from "../wait.ts";

const flags = {
  ...createFlags,
  detach: flag.bool("d", "Run container in background and print container ID"),
  "detach-keys": flag.text(null, "Override the key sequence for detaching a container"),
  explain: flag.bool(null, "Print the plan that is performed: each kernel operation, why, and the system call"),
  "sig-proxy": flag.bool(null, "Proxy received signals to the process", true),
};

type RunCall = Call<typeof flags>;

export default command({
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  summary: "Create and run a new container from an image",
  flags,
  min: 1,
  max: Number.POSITIVE_INFINITY,
  passThrough: true,
  perform: async (call) => {
    const { options, ports } = call;
    if (options.interactive && options.tty && !options.detach && !ports.terminal.stdinIsTty)
      throw new CliError("the input device is not a TTY");
    try {
      return options.detach ? await runDetached(call) : await runAttached(call);
    } catch (thrown) {
      throw startFailure(thrown, call.path);
    }
  },
});

async function runDetached(call: RunCall): Promise<number> {
  const { client, ports } = call;
  const id = await createContainer(call, { stdin: false, stdout: false, stderr: false });
  await explain(call, id);
  await ports.terminal.stdout(`${id}\n`);
  await client.post(`/containers/${id}/start`);
  return 0;
}

async function runAttached(call: RunCall): Promise<number> {
  const { options, client, ports } = call;
  const stdin = options.interactive;
  client.transport.prepare?.(2);
  const id = await createContainer(call, { stdin, stdout: true, stderr: true });
  await explain(call, id);
  const query = { stream: 1, stdin, stdout: 1, stderr: 1, detachKeys: options["detach-keys"] || undefined };
  const [duplex, over] = await Promise.all([
    client.hijack(`/containers/${id}/attach`, query),
    whenOver(client, id, options.rm ? "removed" : "next-exit"),
  ]);
  // Sent first: while the daemon starts it, the rest is made ready.
  const started = client.post(`/containers/${id}/start`);
  const stopSignals =
    options["sig-proxy"] && !options.tty
      ? proxySignals(ports.terminal, (signal) => client.post(`/containers/${id}/kill`, { signal }))
      : null;
  try {
    const session = { terminal: ports.terminal, duplex, tty: options.tty, stdin, detachKeys: options["detach-keys"] };
    return (await attachStarting(session, { client, id, started })) === "detached" ? 0 : await over();
  } finally {
    stopSignals?.();
  }
}

/** `--explain`: what will be done, on stderr, before it is done. */
async function explain({ options, client, ports }: RunCall, id: string): Promise<void> {
  if (!options.explain) return;
  const { explanation } = await client.get<{ explanation: PlanStep[] }>(`/tsbox/v1/containers/${id}/plan`);
  const { formatExplanation } = await import("../../core/runtime/explain.ts");
  await ports.terminal.stderr(formatExplanation(explanation));
}
