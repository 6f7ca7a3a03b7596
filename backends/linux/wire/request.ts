/**
 * What is said to `helper serve`: requests on its stdin, replies on its stdout. A request is answered once, in any order;
 * only a perform that asked for it hears twice: "listening" when clients can connect, the other when the gate is there. A
 * monitor that crashes after its answer may cause a second "failed" with the same id: ignore ids not waited for.
 *   request   u32 id, u8 kind, then
 *     1 perform      u8 flags (1 terminal, 2 stdin, 4 stdin once, 8 say when listening,
 *                    16 release: no gate, and "gate" is answered when the program runs,
 *                    32 the child's uts, ipc, network and pid namespaces are its monitor's, made before the clone),
 *                    str log ("": none), u64 its greatest size (0: any), u32 how many files, str exit, str socket, ops
 *     2 carry-out    ops                 3 tree  str root, str socket              4 remove-tree  str path
 *     5 read-tree    str socket, ops: one overlay without upper and work
 *     6 view         str socket, ops: one spawn, whose child's ops the view's own process performs
 *   ops       u32 count, each: u8 opcode, the fields `writeOp` (ops.ts) shows. A spawn's child ops stand in a blob.
 *   reply     u32 id, u8 kind: 1 gate {u32 pid, u64 start time}, 2 done, 3 listening, 4 failed {failure}
 *   failure   u32 host step (2^32-1: before the first step), u32 child step (2^32-1: none), u8 opcode, u32 errno, str path
 */
import { unreachable } from "../../../core/base/assert.ts";
import type { HostPath } from "../../../core/base/brand.ts";
import { errnoName } from "../../../core/base/errno.ts";
import { TsboxError } from "../../../core/base/error.ts";
import type { Stdio } from "../../../core/engine/machine.ts";
import { namespacesMadeBeforehand } from "../../../core/runtime/ops/namespaces.ts";
import type { OpKind, Overlay, Plan, PlanFailure } from "../../../core/runtime/plan.ts";
import type { View } from "../../../core/runtime/view.ts";
import { maximumFrame, Reader, Writer } from "./frame.ts";
import { opcodes, type Resolver, writeOps } from "./ops.ts";

export interface PerformRequest extends Resolver {
  readonly kind: "perform";
  readonly plan: Plan;
  readonly stdio: Stdio;
  /** Where the monitor listens. */
  readonly socket: HostPath;
  /** Whether to answer "listening" too, as soon as it does. */
  readonly early?: boolean;
  /** Whether the gate is open from the start. */
  readonly released?: boolean;
}

export type Request =
  | PerformRequest
  | { readonly kind: "carry-out"; readonly plan: Plan }
  | { readonly kind: "tree"; readonly root: HostPath; readonly socket: HostPath }
  | { readonly kind: "remove-tree"; readonly path: HostPath }
  | { readonly kind: "read-tree"; readonly union: Overlay; readonly socket: HostPath }
  | ViewRequest;

export interface ViewRequest extends Pick<Resolver, "resolve"> {
  readonly kind: "view";
  readonly socket: HostPath;
  readonly view: View;
}

export interface Reply {
  readonly id: number;
  readonly result:
    | { readonly kind: "gate"; readonly pid: number; readonly startTime: bigint }
    | { readonly kind: "done" }
    | { readonly kind: "listening" }
    | { readonly kind: "failed"; readonly failure: PlanFailure };
}

const requestKinds: Readonly<Record<Request["kind"], number>> = {
  perform: 1,
  "carry-out": 2,
  tree: 3,
  "remove-tree": 4,
  "read-tree": 5,
  view: 6,
};

/** A default container's plan takes 12 kB, most of it the system call filter. */
const usualRequest = 16 * 1024;

/** Throws TsboxError "invalid" for text the kernel cannot take and for a request above the wire's limit. */
export function encodeRequest(id: number, request: Request): Uint8Array<ArrayBuffer> {
  const out = new Writer(usualRequest).u32(id).u8(requestKinds[request.kind]);
  writeRequest(out, request);
  const frame = out.frame();
  if (frame.length - 4 > maximumFrame)
    throw new TsboxError("invalid", `arguments, environment and mounts together are above ${maximumFrame} bytes`);
  return frame;
}

function writeRequest(out: Writer, request: Request): void {
  switch (request.kind) {
    case "perform": {
      const { terminal, stdin, stdinOnce, log, exit, rotation } = request.stdio;
      out.u8(
        (terminal ? 1 : 0) |
          (stdin ? 2 : 0) |
          (stdinOnce ? 4 : 0) |
          (request.early === true ? 8 : 0) |
          (request.released === true ? 16 : 0) |
          (isApart(request.plan) ? 32 : 0),
      );
      out
        .str(log ?? "")
        .u64(BigInt(rotation?.maxBytes ?? 0))
        .u32(rotation?.maxFiles ?? 1)
        .str(exit)
        .str(request.socket);
      return writeOps(out, request.plan.steps, request);
    }
    case "carry-out":
      return writeOps(out, request.plan.steps, null);
    case "tree":
      out.str(request.root).str(request.socket);
      return;
    case "remove-tree":
      out.str(request.path);
      return;
    case "read-tree":
      out.str(request.socket);
      return writeOps(out, [request.union], null);
    case "view": {
      const { resolve, view: child } = request;
      const seccomp = (): never => {
        throw new TsboxError("invalid", "a view runs nothing that could be filtered");
      };
      out.str(request.socket);
      return writeOps(out, [{ op: "spawn", create: [], join: null, idMaps: null, child }], { resolve, seccomp });
    }
    default:
      unreachable(request);
  }
}

/** The clone of such a child leaves out what its monitor has made of the kind already (explain.ts says so). */
function isApart({ steps }: Plan): boolean {
  const spawn = steps.at(-1);
  return spawn?.op === "spawn" && namespacesMadeBeforehand(spawn.create).length > 0;
}

/** The answer to a request, from one frame of the helper's standard output. */
export function decodeReply(frame: Uint8Array): Reply {
  const reader = new Reader(frame);
  return { id: reader.u32(), result: readResult(reader) };
}

function readResult(reader: Reader): Reply["result"] {
  const kind = reader.u8();
  switch (kind) {
    case 1:
      return { kind: "gate", pid: reader.u32(), startTime: reader.u64() };
    case 2:
      return { kind: "done" };
    case 3:
      return { kind: "listening" };
    case 4:
      return { kind: "failed", failure: readFailure(reader) };
    default:
      throw new TsboxError("corrupt", `reply of unknown kind ${kind} from the helper`);
  }
}

const opNames = new Map<number, OpKind>(Object.entries(opcodes).map(([name, code]) => [code, name as OpKind]));

/** A failure before the first step (the monitor's own set-up) has step "" and names the op it was for. */
export function readFailure(reader: Reader): PlanFailure {
  const step = stepName(reader.u32(), reader.u32());
  const op = opNames.get(reader.u8()) ?? "spawn";
  return { step, op, errno: errnoName(reader.u32()), path: reader.str() };
}

const none = 0xffffffff;

function stepName(host: number, child: number): string {
  if (host === none) return "";
  return child === none ? String(host) : `${host}.${child}`;
}
