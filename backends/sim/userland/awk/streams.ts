/** What an awk program reads and writes: files, and commands by pipes. */
import type { Fd, Pid, Sys } from "../../kernel/sys.ts";
import type { Context } from "../applet.ts";
import { compileRegex } from "../regex.ts";
import { type Run, settled } from "../run.ts";
import { fromBytes, readable, toBytes } from "./bytes.ts";
import type { Redirect } from "./tree.ts";

const chunkBytes = 65536;

/** Lines of a descriptor on demand. */
export class Reader {
  readonly #sys: Sys;
  readonly #fd: Fd;
  #rest = "";
  #ended = false;

  constructor(sys: Sys, fd: Fd) {
    this.#sys = sys;
    this.#fd = fd;
  }

  /** null at the end. `separator` as RS says. */
  *record(separator: string): Run<string | null> {
    for (;;) {
      const found = cut(this.#rest, separator, this.#ended);
      if (found !== null) {
        this.#rest = found.rest;
        return found.record;
      }
      if (this.#ended) return null;
      const chunk = yield* settled(this.#sys.read(this.#fd, chunkBytes));
      if (chunk.length === 0) this.#ended = true;
      else this.#rest += fromBytes(chunk);
    }
  }
}

function cut(text: string, separator: string, ended: boolean): { record: string; rest: string } | null {
  if (text === "") return null;
  if (separator === "") {
    const body = text.replace(/^\n+/, "");
    const match = /\n\n+/.exec(body);
    if (match !== null && (ended || match.index + match[0].length < body.length))
      return { record: body.slice(0, match.index), rest: body.slice(match.index + match[0].length) };
    return ended && body !== "" ? { record: body.replace(/\n$/, ""), rest: "" } : null;
  }
  const match = separator.length === 1 ? null : compileRegex(separator, { extended: true }).exec(text);
  const at = separator.length === 1 ? text.indexOf(separator) : (match?.index ?? -1);
  const length = match?.[0].length ?? 1;
  if (at !== -1) return { record: text.slice(0, at), rest: text.slice(at + length) };
  return ended ? { record: text, rest: "" } : null;
}

interface Stream {
  readonly fd: Fd;
  readonly pid: Pid | null;
}

/** By the names a program gives them, which stay until it closes them. */
export class Streams {
  readonly #context: Context;
  readonly #outputs = new Map<string, Stream>();
  readonly #inputs = new Map<string, { reader: Reader; stream: Stream }>();

  constructor(context: Context) {
    this.#context = context;
  }

  *write(operator: Redirect["operator"], name: string, text: string): Run<void> {
    const stream = this.#outputs.get(name) ?? (yield* this.#openOutput(operator, name));
    yield* settled(this.#context.sys.write(stream.fd, toBytes(text)));
  }

  /** A file's or a command's lines; throws Errno for what cannot be read. */
  *reader(from: "file" | "command", name: string): Run<Reader> {
    const known = this.#inputs.get(name);
    if (known !== undefined) return known.reader;
    const { sys, out } = this.#context;
    if (from === "command") yield* settled(out.flush());
    const stream =
      from === "command"
        ? yield* this.#openPipe(name, 1)
        : { fd: name === "-" ? 0 : yield* settled(sys.open(readable(name), { access: "read" })), pid: null };
    const reader = new Reader(sys, stream.fd);
    this.#inputs.set(name, { stream, reader });
    return reader;
  }

  *closeAll(): Run<void> {
    for (const name of [...this.#outputs.keys(), ...this.#inputs.keys()]) yield* this.close(name);
  }

  *#openOutput(operator: Redirect["operator"], name: string): Run<Stream> {
    const { sys } = this.#context;
    yield* settled(this.#context.out.flush());
    const stream =
      operator === "|"
        ? yield* this.#openPipe(name, 0)
        : {
            fd:
              name === "/dev/stderr"
                ? 2
                : yield* settled(
                    sys.open(readable(name), {
                      access: "write",
                      create: true,
                      truncate: operator === ">",
                      append: operator === ">>",
                    }),
                  ),
            pid: null,
          };
    this.#outputs.set(name, stream);
    return stream;
  }

  /** `sh -c command` with a pipe to or from it. */
  *#openPipe(command: string, end: 0 | 1): Run<Stream> {
    const { sys } = this.#context;
    const pipe = sys.pipe();
    const [own, theirs] = end === 0 ? [pipe.write, pipe.read] : [pipe.read, pipe.write];
    const fds = new Map([0, 1, 2].map((fd) => [fd, fd === end ? theirs : fd]));
    const pid = yield* settled(
      sys.spawn("/bin/sh", ["sh", "-c", readable(command)], this.#context.environment, { fds }),
    );
    sys.close(theirs);
    return { fd: own, pid };
  }

  /** Gives the command's exit status, 0 for a file and for what is not open. */
  *close(name: string): Run<number> {
    const stream = this.#outputs.get(name) ?? this.#inputs.get(name)?.stream;
    if (stream === undefined) return 0;
    this.#outputs.delete(name);
    this.#inputs.delete(name);
    if (stream.fd > 2) this.#context.sys.close(stream.fd);
    if (stream.pid === null) return 0;
    const status = yield* settled(this.#context.sys.wait(stream.pid));
    return status?.kind === "exited" ? status.value : 128 + (status?.value ?? 0);
  }
}
