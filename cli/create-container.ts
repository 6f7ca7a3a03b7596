/** Creating a container as `run` and `create` do it: a missing image is fetched, then it is tried again. */
import type { Client } from "./client.ts";
import { ApiError, CliError } from "./errors.ts";
import type { CliPorts } from "./ports.ts";
import { type Attached, type CreateCall, createBody } from "./run-options.ts";

/** Returns the container's id. Throws CliError, ApiError. */
export async function createContainer(call: CreateCall & { client: Client }, attached: Attached): Promise<string> {
  const { options, ports, client } = call;
  const { cidfile, platform, name } = options;
  if (cidfile !== "" && (await ports.files.exists(cidfile)))
    throw new CliError(
      `container ID file found, make sure the other container isn't running or delete ${cidfile}`,
      125,
    );
  const body = await createBody(call, attached);
  const query = { name: name || undefined, platform: platform || undefined };
  const image = call.args[0] ?? "";
  if (options.pull === "always") await pull(client, ports, image, options);
  const create = () => client.post<{ Id: string; Warnings: string[] | null }>("/containers/create", query, body);
  const created = await create().catch(async (thrown: unknown) => {
    if (!isMissingImage(thrown) || options.pull !== "missing") throw thrown;
    if (!options.quiet) await ports.terminal.stderr(`Unable to find image '${withTag(image)}' locally\n`);
    await pull(client, ports, image, options);
    return create();
  });
  for (const warning of created.Warnings ?? []) await ports.terminal.stderr(`WARNING: ${warning}\n`);
  if (cidfile !== "") await ports.files.write(cidfile, bytesOf(created.Id));
  return created.Id;
}

function isMissingImage(thrown: unknown): boolean {
  return thrown instanceof ApiError && thrown.status === 404 && /No such image/i.test(thrown.reason);
}

/** What the daemon calls the image: "busybox:latest". */
function withTag(image: string): string {
  return /[:@][^/]*$/.test(image) ? image : `${image}:latest`;
}

/** Told on standard error: standard output is the container's. */
async function pull(
  client: Client,
  ports: CliPorts,
  image: string,
  { quiet, platform }: { quiet: boolean; platform: string },
): Promise<void> {
  const { pullImage } = await import("./pull-image.ts");
  const { stderr } = ports.terminal;
  const terminal = { ...ports.terminal, stdoutIsTty: false, stdout: quiet ? async () => {} : stderr };
  await pullImage({ client, ports }, image, { platform, all: false, terminal }).catch((thrown: unknown) => {
    throw thrown instanceof CliError ? new CliError(thrown.message, 125) : thrown;
  });
}

async function* bytesOf(text: string): AsyncGenerator<Uint8Array, void, undefined> {
  yield new TextEncoder().encode(text);
}
