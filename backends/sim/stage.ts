/** What performing a plan works on: the kernel with what lies on its host, and the child that becomes the container. */
import type { HostPath } from "../../core/base/brand.ts";
import type { Join } from "../../core/runtime/plan.ts";
import type { Branch } from "../../core/unionfs/marks.ts";
import type { Kernel } from "./kernel/kernel.ts";
import type { Location } from "./kernel/mounts.ts";
import type { Process } from "./kernel/process.ts";
import type { Sys } from "./kernel/sys.ts";
import type { Terminal } from "./kernel/terminal.ts";
import type { View } from "./kernel/walk.ts";

/** What performing needs to know beside the kernel. */
export interface Stage {
  readonly kernel: Kernel;
  /** A layer's directory on the simulated host. */
  readonly branch: (path: HostPath) => Branch;
  /** The first process of a running container. */
  readonly find: (join: Join) => Process;
}

/** The state of a child while it performs its ops. */
export interface Child {
  readonly sys: Sys;
  readonly process: Process;
  /** What the container's paths are resolved beneath: the overlay, then "/". */
  root: Location;
  /** Waits for Task.release(). */
  readonly gate: () => Promise<void>;
  /** Who gets the other end of the pty. */
  readonly terminal: (terminal: Terminal) => void;
}

/** Resolves paths beneath the container's root, whatever symlinks the image has put there. */
export function inRoot<T>({ process, root: containerRoot }: Child, act: () => T): T {
  const { root, directory } = process;
  process.root = containerRoot;
  process.directory = containerRoot;
  try {
    return act();
  } finally {
    process.root = root;
    process.directory = directory;
  }
}

export function viewOf(process: Process): View {
  const { namespaces, root, directory } = process;
  return { table: namespaces.mount.table, root, directory, permit: () => {} };
}
