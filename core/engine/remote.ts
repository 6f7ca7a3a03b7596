/** What is seen and removed at a registry itself, without a pull: repositories, tags, manifests and what refers to them. */
import { messageOf, TsboxError } from "../base/error.ts";
import type { Digest } from "../image/digest.ts";
import { parseReference, type Reference, withDefaultTag } from "../image/reference.ts";
import type { Asker, RegistryClient } from "../image/registry/client.ts";
import type { Referrer, RemoteManifest, Repository } from "../image/registry/repository.ts";

export interface Remote {
  /** All repositories of a registry ("host:5000"), as far as it tells. */
  repositories(host: string, asker: Asker): Promise<string[]>;
  /** All tags of a repository ("busybox", "host:5000/app"). */
  tags(repository: string, asker: Asker): Promise<string[]>;
  /** What a name ("app:1", "app@sha256:…") points at. Throws not-found. */
  manifest(name: string, asker: Asker): Promise<RemoteManifest>;
  /** The manifests that name this one as their subject: signatures, attestations. */
  referrers(name: string, asker: Asker): Promise<Referrer[]>;
  /** Removes the manifest that the name points at, and with it all of its tags there. */
  remove(name: string, asker: Asker): Promise<Digest>;
}

export function remoteOf(client: RegistryClient): Remote {
  const at = <T>(reference: Reference, asker: Asker, work: (repository: Repository) => Promise<T>): Promise<T> =>
    client.at(reference.domain, asker, (connection) => work(client.repository(connection, reference.path)));
  return {
    repositories: (host, asker) => client.atHome(domainOf(host), asker, (connection) => client.catalog(connection)),
    tags: (repository, asker) => at(parseReference(repository), asker, (found) => found.tags()),
    manifest: (name, asker) => {
      const reference = withDefaultTag(parseReference(name));
      return at(reference, asker, (repository) => repository.manifest(wantedOf(reference)));
    },
    referrers: (name, asker) => {
      const reference = withDefaultTag(parseReference(name));
      return at(reference, asker, async (repository) => repository.referrers(await digestOf(repository, reference)));
    },
    remove: (name, asker) => {
      const reference = withDefaultTag(parseReference(name));
      return client.atHome(reference.domain, asker, async (connection) => {
        const repository = client.repository(connection, reference.path, "pull", "delete");
        const digest = await digestOf(repository, reference);
        await repository.deleteManifest(digest).catch((thrown: unknown) => {
          throw isNotAllowed(thrown) ? notRemovable(reference.domain, thrown) : thrown;
        });
        return digest;
      });
    },
  };
}

function wantedOf({ digest, tag }: Reference): string {
  return digest ?? tag ?? "latest";
}

async function digestOf(repository: Repository, reference: Reference): Promise<Digest> {
  return reference.digest ?? (await repository.manifest(wantedOf(reference))).digest;
}

/** 405 Method Not Allowed, which is all that registries say of it. */
function isNotAllowed(thrown: unknown): boolean {
  return thrown instanceof TsboxError && thrown.data["status"] === 405;
}

function notRemovable(domain: string, cause: unknown): TsboxError {
  const setting = "whoever runs it can allow that (distribution's setting is storage.delete.enabled)";
  return new TsboxError("unsupported", `${domain} does not let images be removed: ${setting}`, {}, { cause });
}

/** "https://index.docker.io/v1/" is what Docker calls its Hub in logins. */
export function domainOf(server: string): string {
  const host = server.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
  if (host === "" || host === "index.docker.io" || host === "registry-1.docker.io") return "docker.io";
  try {
    return parseReference(`${host}/x`).domain;
  } catch (thrown) {
    throw new TsboxError("invalid", `invalid registry ${JSON.stringify(server)}: ${messageOf(thrown)}`);
  }
}
