/**
 * A page's way to registries. A browser lets it read only what is of its own origin, or what the other
 * side allows pages to read (CORS), which registries rarely do; it does not tell the page which of the
 * two failed. No credentials of the browser's go along, and no referrer.
 */
import { readAll } from "../../core/base/bytes.ts";
import { defaultRegistryConfig, type RegistryConfig } from "../../core/image/registry/endpoints.ts";
import { emptyBody, type Fetch, networkError } from "../../core/image/registry/http.ts";
import { chunksOf } from "./readable.ts";

const bodyBytesMax = 2 ** 31;
/** In every answer of a registry (distribution's API, "Determining Support"). */
const registryHeader = "docker-distribution-api-version";

/** Whatever serves the page may be a mirror of docker.io as well. */
export function pageRegistries(origin: string): RegistryConfig {
  return { ...defaultRegistryConfig, mirrors: [origin] };
}

export function pageFetch(origin: string): Fetch {
  return async ({ method, url, headers, body, signal }) => {
    const whole = body === null || body instanceof Uint8Array ? body : await readAll(body, bodyBytesMax);
    const options = { credentials: "omit", referrerPolicy: "no-referrer", cache: "no-store" } as const;
    const content = whole === null || whole.length === 0 ? null : new Uint8Array(whole);
    const response = await fetch(url, { ...options, method, headers, body: content, signal }).catch(
      (thrown: unknown) => {
        signal?.throwIfAborted();
        throw networkError("refused", unreachable(new URL(url), origin), thrown);
      },
    );
    if (new URL(url).origin === origin && !response.headers.has(registryHeader))
      throw networkError("refused", `${new URL(url).host}, which serves this page, is no mirror of a registry`);
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: response.body === null ? emptyBody() : chunksOf(response.body),
    };
  };
}

function unreachable({ host, origin: asked }: URL, origin: string): string {
  if (asked === origin) return `cannot reach ${host}: nobody answers there`;
  return (
    `cannot reach ${host} from a web page: nobody answers there, or the registry lets no page read it (CORS), as most do not. ` +
    "Push to and pull from registry.sim, drop an image archive into the page, or use tsbox on Linux"
  );
}
