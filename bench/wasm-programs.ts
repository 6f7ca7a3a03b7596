/** What is done with programs for WASI in measurements, in Node and in a browser alike. */
import type { Sys } from "../backends/sim/kernel/sys.ts";
import { spawn } from "../backends/sim/wasm/testing/wasm-host.ts";

export const megabytes = 64;

/** From its start until it was waited for. */
export async function toItsEnd(sys: Sys, name: string): Promise<void> {
  const { pid, stdin, stdout } = await spawn(sys, [name]);
  sys.close(stdin);
  while ((await sys.read(stdout, 65536)).length > 0);
  await sys.wait(pid);
}

/** 64 MB from a process through two cats to another. */
export async function throughTwoCats(sys: Sys): Promise<void> {
  const [first, between, last] = [sys.pipe(), sys.pipe(), sys.pipe()];
  const cat = (from: number, to: number): Promise<number> =>
    sys.spawn("/bin/cat", ["cat"], [], {
      fds: new Map([
        [0, from],
        [1, to],
        [2, to],
      ]),
    });
  await cat(first.read, between.write);
  await cat(between.read, last.write);
  sys.fork(
    async (child) => {
      const chunk = new Uint8Array(65536);
      for (let sent = 0; sent < megabytes * 1e6; sent += chunk.length) await child.write(1, chunk);
      return 0;
    },
    { fds: new Map([[1, first.write]]) },
  );
  for (const fd of [first.read, first.write, between.read, between.write, last.write]) sys.close(fd);
  while ((await sys.read(last.read, 65536)).length > 0);
  sys.close(last.read);
  for (let count = 0; count < 3; count++) await sys.wait(-1);
}
