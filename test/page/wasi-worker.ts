/** A worker with a simulated kernel and programs for WASI; it does what the test asks and answers with what came of it. */
import { inProcess } from "../../backends/sim/testing/small-host.ts";
import { code, smallModule } from "../../backends/sim/wasm/testing/modules.ts";
import { endOf, run, spawn, textOf, wasmHost } from "../../backends/sim/wasm/testing/wasm-host.ts";
import { encodeText } from "../../core/base/bytes.ts";

const SIGKILL = 9;

/** As scripts/wasmer.ts takes it out of the package for the built page. */
async function wasmer(): Promise<Uint8Array<ArrayBuffer>> {
  const text = await (await fetch("/node_modules/@wasmer/wasi/dist/Library.esm.min.js")).text();
  const [, base64 = ""] = /"data:application\/wasm;base64,([^"]+)"/.exec(text) ?? [];
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

async function program(name: string): Promise<Uint8Array> {
  return new Uint8Array(await (await fetch(`/images/wasi/bin/${name}.wasm`)).arrayBuffer());
}

async function host(): Promise<ReturnType<typeof wasmHost>> {
  const [hello, upper] = [await program("hello"), await program("upper")];
  return wasmHost(
    { hello, upper, endless: smallModule({ start: code.forever }), abort: smallModule({ start: code.unreachable }) },
    { wasmer },
  );
}

const jobs = {
  hello: async () => (await run(await host(), ["hello"])).stdout,
  upper: async () => (await run(await host(), ["upper"], "typed\n")).stdout,
  abort: async () => (await run(await host(), ["abort"])).stderr,
  isolated: () => Promise.resolve(String(self.crossOriginIsolated)),
  /** Others run beside a program that never ends, and it can be killed. */
  kill: async () =>
    inProcess(await host(), async (sys) => {
      const { pid } = await spawn(sys, ["endless"]);
      const other = await spawn(sys, ["upper"]);
      await sys.write(other.stdin, encodeText("beside"));
      sys.close(other.stdin);
      const said = await textOf(sys, other.stdout);
      sys.kill(pid, SIGKILL);
      return `${said} ${endOf(await sys.wait(pid)).signal}`;
    }),
};

export type Job = keyof typeof jobs;

self.addEventListener("message", ({ data }: MessageEvent<Job>) => {
  jobs[data]().then(
    (text) => self.postMessage({ text }),
    (error: unknown) =>
      self.postMessage({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});
