/** A simulated host for tests whose /bin holds WebAssembly programs, and what one of them did from start to end. */
import { concat, encodeText } from "../../../../core/base/bytes.ts";
import type { Hasher } from "../../../../core/base/ports.ts";
import { bootHost } from "../../host.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { jumping } from "../../kernel/pace.ts";
import type { Fd, Sys, WaitStatus } from "../../kernel/sys.ts";
import { seededRandom } from "../../random.ts";
import { bootTime, inProcess } from "../../testing/small-host.ts";
import { webAssemblyLoader, type WebAssemblyOptions } from "../loader.ts";

/** Names contents as well as it has to for these tests: by their bytes. */
const plainHasher: Hasher = {
  sha256: () => {
    const chunks: Uint8Array[] = [];
    return { update: (bytes) => void chunks.push(bytes.slice()), digest: () => concat(chunks) };
  },
};

export function wasmHost(
  programs: Readonly<Record<string, Uint8Array>>,
  options: Partial<WebAssemblyOptions> = {},
): Kernel {
  const webAssembly = webAssemblyLoader({ hasher: plainHasher, ...options });
  const loader = { standIn: () => Promise.resolve(null), webAssembly };
  const pace = jumping(() => Promise.resolve());
  const kernel = bootHost({ now: bootTime, random: seededRandom(1), pace, loader });
  const bin = kernel.tree.lookup(kernel.tree.root, "bin");
  for (const [name, bytes] of Object.entries(programs)) {
    const file = kernel.tree.create(bin, name, { kind: "file", mode: 0o755, uid: 0, gid: 0 });
    kernel.tree.setContent(file, bytes);
  }
  return kernel;
}

export interface Outcome {
  readonly code: number;
  readonly signal: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program of /bin with this input. */
export function run(kernel: Kernel, argv: readonly [string, ...string[]], input = ""): Promise<Outcome> {
  return inProcess(kernel, async (sys) => {
    const { pid, stdin, stdout, stderr } = await spawn(sys, argv);
    await sys.write(stdin, encodeText(input));
    sys.close(stdin);
    const texts = { stdout: await textOf(sys, stdout), stderr: await textOf(sys, stderr) };
    return { ...endOf(await sys.wait(pid)), ...texts };
  });
}

export interface Started {
  readonly pid: number;
  readonly stdin: Fd;
  readonly stdout: Fd;
  readonly stderr: Fd;
}

/** Starts a program of /bin with a pipe at each of its three streams. */
export async function spawn(sys: Sys, argv: readonly [string, ...string[]]): Promise<Started> {
  const [input, output, errors] = [sys.pipe(), sys.pipe(), sys.pipe()];
  const fds = new Map([
    [0, input.read],
    [1, output.write],
    [2, errors.write],
  ]);
  const pid = await sys.spawn(`/bin/${argv[0]}`, argv, ["PATH=/bin"], { fds });
  for (const fd of fds.values()) sys.close(fd);
  return { pid, stdin: input.write, stdout: output.read, stderr: errors.read };
}

export function endOf(status: WaitStatus | null): { code: number; signal: number } {
  if (status === null) throw new Error("nobody has ended");
  return status.kind === "exited" ? { code: status.value, signal: 0 } : { code: 0, signal: status.value };
}

export async function textOf(sys: Sys, fd: Fd): Promise<string> {
  const chunks: Uint8Array[] = [];
  for (;;) {
    const bytes = await sys.read(fd, 65536);
    if (bytes.length === 0) break;
    chunks.push(bytes.slice());
  }
  sys.close(fd);
  return new TextDecoder().decode(concat(chunks));
}
