/** `exec`: another program in a running container. */
import { attach, followSize } from "../attach.ts";
import { segment } from "../client.ts";
import { type Call, command } from "../command.ts";
import { CliError } from "../errors.ts";
import { flag } from "../flags.ts";
import { checkVariable, gatherEnvironment } from "../values/environment.ts";

const flags = {
  detach: flag.bool("d", "Detached mode: run command in the background"),
  "detach-keys": flag.text(null, "Override the key sequence for detaching a container"),
  env: flag.list("e", "Set environment variables", "list", checkVariable),
  "env-file": flag.list(null, "Read in a file of environment variables"),
  interactive: flag.bool("i", "Keep STDIN open even if not attached"),
  privileged: flag.bool(null, "Give extended privileges to the command"),
  tty: flag.bool("t", "Allocate a pseudo-TTY"),
  user: flag.text("u", 'Username or UID (format: "<name|uid>[:<group|gid>]")'),
  workdir: flag.text("w", "Working directory inside the container"),
};

export default command({
  usage: "[OPTIONS] CONTAINER COMMAND [ARG...]",
  summary: "Execute a command in a running container",
  flags,
  min: 2,
  max: Number.POSITIVE_INFINITY,
  passThrough: true,
  perform: async (call) => {
    const { options, client, ports } = call;
    const [container = ""] = call.args;
    if (options.interactive && options.tty && !options.detach && !ports.terminal.stdinIsTty)
      throw new CliError("the input device is not a TTY");
    const { Id } = await client.post<{ Id: string }>(
      `/containers/${segment(container)}/exec`,
      {},
      await execBody(call),
    );
    if (!options.detach) return execAttached(call, Id);
    await client.post(`/exec/${Id}/start`, {}, { Detach: true, Tty: options.tty });
    return 0;
  },
});

async function execBody({ options, args, ports }: Call<typeof flags>): Promise<object> {
  const attached = !options.detach;
  return {
    User: options.user,
    Privileged: options.privileged,
    Tty: options.tty,
    AttachStdin: attached && options.interactive,
    AttachStdout: attached,
    AttachStderr: attached,
    Detach: options.detach,
    DetachKeys: options["detach-keys"],
    Env: await gatherEnvironment(options.env, options["env-file"], ports),
    WorkingDir: options.workdir,
    Cmd: args.slice(1),
    ...consoleSize(options.tty, ports),
  };
}

function consoleSize(tty: boolean, { terminal }: Call<typeof flags>["ports"]): object {
  const size = tty ? terminal.size() : null;
  return size === null ? {} : { ConsoleSize: [size.rows, size.columns] };
}

async function execAttached({ options, client, ports }: Call<typeof flags>, id: string): Promise<number> {
  const { tty } = options;
  const start = { Detach: false, Tty: tty, ...consoleSize(tty, ports) };
  const duplex = await client.hijack(`/exec/${id}/start`, {}, start);
  const { terminal } = ports;
  const stopSize = tty ? followSize(terminal, (h, w) => client.post(`/exec/${id}/resize`, { h, w })) : null;
  const session = { terminal, duplex, tty, stdin: options.interactive, detachKeys: options["detach-keys"] };
  const ending = await attach(session).finally(stopSize ?? undefined);
  if (ending === "detached") return 0;
  const { ExitCode } = await client.get<{ ExitCode: number | null }>(`/exec/${id}/json`);
  return ExitCode ?? 0;
}
