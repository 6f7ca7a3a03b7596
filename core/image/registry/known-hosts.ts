/**
 * A network of a few hosts: what a page can reach. Its simulated registries are functions, and of the
 * real network only its own origin answers it: registries do not allow other sites' pages to read
 * from them (CORS). So a mirror that is to serve a page lies at the page's own origin.
 */
import { type Fetch, networkError } from "./http.ts";

/** `hosts`: "registry.example:5000" → the registry there. */
export function fetchWithin(hosts: Readonly<Record<string, Fetch>>): Fetch {
  return (request) => {
    const { host } = new URL(request.url);
    const known = hosts[host];
    if (known !== undefined) return known(request);
    const names = Object.keys(hosts).join(", ");
    return Promise.reject(
      networkError(
        "refused",
        `cannot reach ${host} from a page: registries do not let other sites' pages read from them; ` +
          `reachable here: ${names}; on Linux the same command pulls from any registry`,
      ),
    );
  };
}
