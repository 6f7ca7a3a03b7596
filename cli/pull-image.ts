/** Pulling an image, for `pull` and for `run` of what is not here. */
import { familiarName, formatReference, parseReference, withDefaultTag } from "../core/image/reference.ts";
import type { Client } from "./client.ts";
import { Logins } from "./docker-config.ts";
import type { CliPorts, Terminal } from "./ports.ts";
import { awaitEnd, showProgress } from "./progress.ts";

export interface PullOptions {
  readonly platform: string;
  /** Every tag of the repository. */
  readonly all: boolean;
  /** Where it is told; null: nowhere. */
  readonly terminal: Terminal | null;
}

/** Returns the image's full name. Throws CliError, ApiError. */
export async function pullImage(
  { client, ports }: { client: Client; ports: CliPorts },
  image: string,
  { platform, all, terminal }: PullOptions,
): Promise<string> {
  const typed = parseReference(image);
  const reference = all ? typed : withDefaultTag(typed);
  const query = {
    fromImage: familiarName(reference),
    tag: reference.digest ?? reference.tag ?? undefined,
    platform: platform || undefined,
  };
  const headers = await new Logins(ports).headerFor(image);
  const response = await client.open("POST", "/images/create", query, { headers });
  if (terminal === null) await awaitEnd(response);
  else await showProgress(response, terminal);
  return formatReference(reference);
}
