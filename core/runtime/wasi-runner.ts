/**
 * Programs for WASI in a container. A kernel that executes them itself (the simulated one) needs nothing. Linux
 * does not know them: there the container is given a runner, a JavaScript engine and its libraries, as
 * read-only binds beneath its own /dev, and the exec op calls that with the program's words. So the program lives in
 * the container's namespaces, cgroups and rights as any other does.
 *
 * Variables that would reach into the runner itself are hidden from it: they are handed on as words.
 */
import type { ContainerPath } from "../base/brand.ts";
import { TsboxError } from "../base/error.ts";
import type { ChildOp } from "./plan.ts";
import type { Process } from "./spec.ts";
import type { HostTraits, WasiRunner } from "./traits.ts";

/** The annotation by which OCI runtimes know such a container (crun: run.oci.handler). */
export const handlerAnnotation = "run.oci.handler";
export const wasmHandler = "wasm";

const directory = "/dev/wasi";
/** What dynamic loaders, allocators and Node read from their environment. */
const reachesRunner = /^(?:NODE_|NODE$|LD_|GLIBC_|MALLOC_|UV_|OPENSSL_|SSL_CERT_)/;

/** The runner of a machine; null when its kernel needs none. Throws TsboxError "unsupported" when there is no way. */
export function runnerOf({ wasi }: HostTraits): WasiRunner | null {
  if (wasi === null)
    throw new TsboxError(
      "unsupported",
      "this image holds a program for WASI (wasi/wasm), and nothing on this machine can run such: choose another platform of the image with --platform",
    );
  return wasi === "kernel" ? null : wasi;
}

/** Puts the runner's files into the container's root. `replaced`: targets of the user's mounts. */
export function runnerMounts({ files }: WasiRunner, replaced: readonly string[]): ChildOp[] {
  if (replaced.includes("/dev"))
    throw new TsboxError(
      "invalid",
      "a container of a wasi/wasm image needs a /dev of its own, as that is where its runner lies: drop the mount at /dev",
    );
  return [
    { op: "directory", path: directory as ContainerPath, mode: 0o755 },
    ...files.flatMap(({ source, name }): ChildOp[] => {
      const path = `${directory}/${name}` as ContainerPath;
      return [
        { op: "file", path, mode: 0o444 },
        {
          op: "bind",
          source,
          target: path,
          recursive: false,
          flags: ["ro", "nosuid", "nodev"],
          propagation: "private",
        },
      ];
    }),
  ];
}

/** The exec op of a program for WASI. */
export function runnerExec(
  { argv: [first, ...rest] }: WasiRunner,
  { args, env }: Pick<Process, "args" | "env">,
): ChildOp {
  const hidden = env.filter((variable) => reachesRunner.test(variable));
  const place = (word: string): string => (word.startsWith("./") ? `${directory}/${word.slice(2)}` : word);
  return {
    op: "exec",
    candidates: [place(first) as ContainerPath],
    argv: [place(first), ...rest.map(place), String(hidden.length), ...hidden, ...args],
    environment: env.filter((variable) => !reachesRunner.test(variable)),
  };
}

/** Whether a container was started by a runner: its exec sessions are too. */
export function isByRunner(child: readonly ChildOp[]): boolean {
  return child.some((op) => op.op === "exec" && op.candidates.some((path) => path.startsWith(`${directory}/`)));
}
