/** --debug: one line a request on standard error. */
import type { Api } from "../api/http.ts";

export function logRequests(api: Api): Api {
  return async (request) => {
    const began = performance.now();
    const answer = await api(request);
    const ms = (performance.now() - began).toFixed(1);
    process.stderr.write(`${answer.status} ${request.method} ${request.target} ${ms} ms\n`);
    return answer;
  };
}
