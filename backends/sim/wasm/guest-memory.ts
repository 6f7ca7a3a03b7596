/**
 * A program's memory as the host sees it during a call. Every pointer and length comes from the
 * program, so each access is checked; one that leads out of the memory is EFAULT.
 */
import { decodeBytes } from "../../../core/base/bytes.ts";
import { Errno } from "../../../core/base/errno.ts";
import type { Memory } from "./web-assembly.ts";

export class GuestMemory {
  readonly #memory: Memory;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /** The bytes themselves, not a copy: good until the program goes on. */
  bytes(pointer: number, length: number): Uint8Array {
    const { buffer } = this.#memory;
    if (pointer + length > buffer.byteLength) throw new Errno("EFAULT");
    return new Uint8Array(buffer, pointer, length);
  }

  text(pointer: number, length: number): string {
    return decodeBytes(this.bytes(pointer, length));
  }

  u32(pointer: number): number {
    return this.#view(pointer, 4).getUint32(0, true);
  }

  u64(pointer: number): bigint {
    return this.#view(pointer, 8).getBigUint64(0, true);
  }

  byte(pointer: number): number {
    return this.#view(pointer, 1).getUint8(0);
  }

  setByte(pointer: number, value: number): void {
    this.#view(pointer, 1).setUint8(0, value);
  }

  setU16(pointer: number, value: number): void {
    this.#view(pointer, 2).setUint16(0, value, true);
  }

  setU32(pointer: number, value: number): void {
    this.#view(pointer, 4).setUint32(0, value, true);
  }

  setU64(pointer: number, value: bigint): void {
    this.#view(pointer, 8).setBigUint64(0, value, true);
  }

  /** The pieces of memory that an array of iovec names. */
  vectors(pointer: number, count: number): Uint8Array[] {
    if (count > vectorsMax) throw new Errno("EINVAL");
    return Array.from({ length: count }, (_, index) => {
      const at = pointer + index * 8;
      return this.bytes(this.u32(at), this.u32(at + 4));
    });
  }

  #view(pointer: number, length: number): DataView {
    const { buffer } = this.#memory;
    if (pointer + length > buffer.byteLength) throw new Errno("EFAULT");
    return new DataView(buffer, pointer, length);
  }
}

/** UIO_MAXIOV (readv(2)). */
const vectorsMax = 1024;
