/** The error numbers of wasi_snapshot_preview1 (its type errno), by the names that Linux has for them. */
import { Errno, type ErrnoName } from "../../../core/base/errno.ts";

const numbers: Readonly<Partial<Record<ErrnoName, number>>> = {
  E2BIG: 1,
  EACCES: 2,
  EADDRINUSE: 3,
  EAGAIN: 6,
  EBADF: 8,
  EBUSY: 10,
  ECHILD: 12,
  ECONNREFUSED: 14,
  ECONNRESET: 15,
  EDEADLK: 16,
  EDQUOT: 19,
  EEXIST: 20,
  EFAULT: 21,
  EFBIG: 22,
  EINTR: 27,
  EINVAL: 28,
  EIO: 29,
  EISDIR: 31,
  ELOOP: 32,
  EMFILE: 33,
  EMLINK: 34,
  ENAMETOOLONG: 37,
  ENFILE: 41,
  ENODEV: 43,
  ENOENT: 44,
  ENOEXEC: 45,
  ENOMEM: 48,
  ENOSPC: 51,
  ENOSYS: 52,
  ENOTDIR: 54,
  ENOTEMPTY: 55,
  EOPNOTSUPP: 58,
  ENOTTY: 59,
  ENXIO: 60,
  EOVERFLOW: 61,
  EPERM: 63,
  EPIPE: 64,
  ERANGE: 68,
  EROFS: 69,
  ESPIPE: 70,
  ESRCH: 71,
  ETIMEDOUT: 73,
  ETXTBSY: 74,
  EXDEV: 75,
};

const EIO = 29;

/** What a call that threw returns; what is no Errno goes on through the program and ends it. */
export function errnoOf(thrown: unknown): number {
  if (!(thrown instanceof Errno)) throw thrown;
  return numbers[thrown.errno] ?? EIO;
}
