/**
 * A monitor's socket (SOCK_STREAM, as many clients as like). The client says hello first.
 *   to it     u8 kind: 1 hello {u8 version 1, u8 flags: 1 stdin, 2 output}, 2 input {bytes to the end},
 *             3 input-end, 4 resize {u32 rows, u32 columns}, 5 signal {u32}, 6 release
 *   from it   u8 kind: 1 welcome {u32 pid, u64 start time, u8 released}, 2 output {u8 stream 1|2, bytes to the end},
 *             3 output-end, 4 started, 5 failed {failure}, 6 exited {u32 code, u32 signal, u64 ns}, 7 refused {u32 errno}
 *   The gate opens for everybody who connected and said hello before the release was sent.
 *   After the exit: output-end to those who asked for output, exited to all, and the socket is gone.
 */
import { type ErrnoName, errnoName } from "../../../core/base/errno.ts";
import { TsboxError } from "../../../core/base/error.ts";
import type { AttachOptions } from "../../../core/engine/machine.ts";
import type { PlanFailure } from "../../../core/runtime/plan.ts";
import { contentMax, Reader, Writer } from "./frame.ts";
import { readFailure } from "./request.ts";

export type MonitorFrame =
  | { readonly kind: "welcome"; readonly pid: number; readonly startTime: bigint; readonly released: boolean }
  | { readonly kind: "output"; readonly stream: "stdout" | "stderr"; readonly bytes: Uint8Array }
  | { readonly kind: "output-end" }
  | { readonly kind: "started" }
  | { readonly kind: "failed"; readonly failure: PlanFailure }
  | { readonly kind: "exited"; readonly code: number; readonly signal: number; readonly at: bigint }
  | { readonly kind: "refused"; readonly errno: ErrnoName };

export function encodeHello(options: AttachOptions): Uint8Array<ArrayBuffer> {
  return new Writer()
    .u8(1)
    .u8(1)
    .u8((options.stdin ? 1 : 0) | (options.output ? 2 : 0))
    .frame();
}

/** As many frames as the bytes need, end to end. */
export function encodeInput(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return encodeSlices(2, bytes);
}

export function encodeInputEnd(): Uint8Array<ArrayBuffer> {
  return new Writer().u8(3).frame();
}

export function encodeResize(rows: number, columns: number): Uint8Array<ArrayBuffer> {
  return new Writer().u8(4).u32(rows).u32(columns).frame();
}

export function encodeSignal(number: number): Uint8Array<ArrayBuffer> {
  return new Writer().u8(5).u32(number).frame();
}

export function encodeRelease(): Uint8Array<ArrayBuffer> {
  return new Writer().u8(6).frame();
}

/** One frame of a monitor. An output's bytes share the frame's memory. */
export function decodeMonitorFrame(frame: Uint8Array): MonitorFrame {
  const reader = new Reader(frame);
  const kind = reader.u8();
  switch (kind) {
    case 1:
      return { kind: "welcome", pid: reader.u32(), startTime: reader.u64(), released: reader.u8() === 1 };
    case 2:
      return { kind: "output", stream: reader.u8() === 1 ? "stdout" : "stderr", bytes: reader.rest() };
    case 3:
      return { kind: "output-end" };
    case 4:
      return { kind: "started" };
    case 5:
      return { kind: "failed", failure: readFailure(reader) };
    case 6:
      return { kind: "exited", code: reader.u32(), signal: reader.u32(), at: reader.u64() };
    case 7:
      return { kind: "refused", errno: errnoName(reader.u32()) };
    default:
      throw new TsboxError("corrupt", `frame of unknown kind ${kind} from a monitor`);
  }
}

function encodeSlices(kind: number, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const count = Math.ceil(bytes.length / contentMax);
  const out = new Uint8Array(bytes.length + 5 * count);
  const view = new DataView(out.buffer);
  let at = 0;
  for (let start = 0; start < bytes.length; start += contentMax) {
    const slice = bytes.subarray(start, start + contentMax);
    view.setUint32(at, slice.length + 1, true);
    view.setUint8(at + 4, kind);
    out.set(slice, at + 5);
    at += 5 + slice.length;
  }
  return out;
}
