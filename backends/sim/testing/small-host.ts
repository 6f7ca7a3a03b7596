/** A simulated host for tests: time jumps, chance is seeded, programs are functions of the test, and nothing is outside. */
import { encodeText } from "../../../core/base/bytes.ts";
import { bootHost } from "../host.ts";
import type { Kernel, Loader } from "../kernel/kernel.ts";
import { jumping } from "../kernel/pace.ts";
import type { Fd, Program, Sys } from "../kernel/sys.ts";
import { seededRandom } from "../random.ts";

/** 2026-01-01T00:00:00Z */
export const bootTime = 1_767_225_600_000_000_000n;

/** What makes a file a stand-in, as busybox's banner does: an ELF file with these bytes. */
export const busyboxFile = encodeText("\u007fELF BusyBox v1.0 stand-in");

export function smallHost(programs: Readonly<Record<string, Program>> = {}): Kernel {
  const loader: Loader = {
    standIn: (name) => Promise.resolve(programs[name] ?? null),
    webAssembly: () => Promise.reject(new Error("no WebAssembly here")),
  };
  const pace = jumping(() => Promise.resolve());
  const kernel = bootHost({ now: bootTime, random: seededRandom(1), pace, loader });
  const bin = kernel.tree.lookup(kernel.tree.root, "bin");
  for (const name of Object.keys(programs)) {
    const file = kernel.tree.create(bin, name, { kind: "file", mode: 0o755, uid: 0, gid: 0 });
    kernel.tree.setContent(file, busyboxFile);
  }
  return kernel;
}

/** Runs a body as a process of the host until nothing more happens; gives its result. */
export async function inProcess<T>(kernel: Kernel, body: (sys: Sys) => Promise<T>): Promise<T> {
  const results: T[] = [];
  const failures: unknown[] = [];
  kernel.launch("test", async (sys) => {
    try {
      results.push(await body(sys));
      return 0;
    } catch (thrown) {
      failures.push(thrown);
      return 1;
    }
  });
  await kernel.turns.run();
  if (failures.length > 0) throw failures[0];
  if (results.length === 0) throw new Error("the process did not end");
  return results[0] as T;
}

export async function readAllOf(sys: Sys, fd: Fd): Promise<string> {
  let text = "";
  for (;;) {
    const bytes = await sys.read(fd, 65536);
    if (bytes.length === 0) return text;
    text += new TextDecoder().decode(bytes);
  }
}

export async function readFile(sys: Sys, path: string): Promise<string> {
  const fd = await sys.open(path, { access: "read" });
  const text = await readAllOf(sys, fd);
  sys.close(fd);
  return text;
}

export async function writeFile(sys: Sys, path: string, text: string): Promise<void> {
  const fd = await sys.open(path, { access: "write", create: true, truncate: true });
  await sys.write(fd, encodeText(text));
  sys.close(fd);
}
