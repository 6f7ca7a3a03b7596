/** Creating a container as `run` and `create` do it: a missing image is fetched, then it is tried again. */
import type { Client } from "./client.ts";
import { jsonLines } from "./client.ts";
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

async function pull(
  client: Client,
  { terminal }: CliPorts,
  image: string,
  options: { quiet: boolean; platform: string },
): Promise<void> {
  const [, fromImage = image, tag = "latest"] = /^(.*?)(?::([^:/@]+))?$/.exec(image) ?? [];
  const query = { fromImage, tag: image.includes("@") ? undefined : tag, platform: options.platform || undefined };
  const response = await client.open("POST", "/images/create", query);
  for await (const line of jsonLines(response.body)) {
    const { status, id, error } = line as { status?: string; id?: string; error?: string };
    if (error !== undefined) throw new CliError(error, 125);
    if (!options.quiet && status !== undefined)
      await terminal.stderr(`${id === undefined ? "" : `${id}: `}${status}\n`);
  }
}

async function* bytesOf(text: string): AsyncGenerator<Uint8Array, void, undefined> {
  yield new TextEncoder().encode(text);
}
