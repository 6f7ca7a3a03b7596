/**
 * A tape of what a daemon answered: a transport that records onto it, and one that plays it. On
 * playing, a request gets the first answer not yet used that was given to the same request.
 */
import type { ApiResponse, Duplex, Transport } from "../../cli/ports.ts";
import { readAll, streamOf } from "../../core/base/bytes.ts";

export interface Answer {
  readonly request: string;
  readonly status: number;
  /** What followed, as latin1 text: the body, or all output of a hijacked connection. */
  body: string;
  readonly hijacked: boolean;
}

const limit = 64 * 1024 * 1024;

/** Streams are passed on while they come, and are on the tape when they ended. */
export function recorder(real: Transport, tape: Answer[]): Transport {
  const keep = (request: string, response: ApiResponse, hijacked: boolean): Answer => {
    const answer = { request, status: response.status, body: "", hijacked };
    tape.push(answer);
    return answer;
  };
  const copied = async function* (from: AsyncIterable<Uint8Array>, answer: Answer) {
    for await (const chunk of from) {
      answer.body += Buffer.from(chunk).toString("latin1");
      yield chunk;
    }
  };
  return {
    request: async (method, target, options) => {
      const response = await real.request(method, target, options);
      const answer = keep(`${method} ${target}`, response, false);
      return { ...response, body: copied(response.body, answer) };
    },
    hijack: async (method, target, options) => {
      const { response, duplex } = await real.hijack(method, target, options);
      const answer = keep(`${method} ${target}`, response, duplex !== null);
      if (duplex === null) return { response: { ...response, body: copied(response.body, answer) }, duplex };
      return { response, duplex: { ...duplex, output: copied(duplex.output, answer) } };
    },
  };
}

/** Throws Error for a request that is not on the tape. */
export function player(tape: readonly Answer[]): Transport {
  const left = [...tape];
  const next = (request: string): Answer => {
    const at = left.findIndex((each) => each.request === request);
    const [answer] = at < 0 ? [] : left.splice(at, 1);
    if (answer === undefined) throw new Error(`not on the tape: ${request}`);
    return answer;
  };
  const respond = ({ status, body }: Answer): ApiResponse => ({ status, headers: {}, body: streamOf(bytes(body)) });
  return {
    request: async (method, target, options = {}) => {
      if (options.body !== undefined && !(options.body instanceof Uint8Array)) await readAll(options.body, limit);
      return respond(next(`${method} ${target}`));
    },
    hijack: async (method, target) => {
      const answer = next(`${method} ${target}`);
      if (!answer.hijacked) return { response: respond(answer), duplex: null };
      return { response: { status: 101, headers: {}, body: streamOf() }, duplex: playedDuplex(answer.body) };
    },
  };
}

function playedDuplex(output: string): Duplex {
  return {
    output: streamOf(bytes(output)),
    write: async () => undefined,
    end: () => undefined,
    close: () => undefined,
  };
}

function bytes(latin1: string): Uint8Array {
  return new Uint8Array(Buffer.from(latin1, "latin1"));
}
