/**
 * Errno is the vocabulary of the file system and of the kernel, real or simulated.
 * Numbers and names are those of Linux on x86-64 and arm64 (errno(3), asm-generic/errno.h).
 */
const table = {
  EPERM: [1, "Operation not permitted"],
  ENOENT: [2, "No such file or directory"],
  ESRCH: [3, "No such process"],
  EINTR: [4, "Interrupted system call"],
  EIO: [5, "Input/output error"],
  ENXIO: [6, "No such device or address"],
  E2BIG: [7, "Argument list too long"],
  ENOEXEC: [8, "Exec format error"],
  EBADF: [9, "Bad file descriptor"],
  ECHILD: [10, "No child processes"],
  EAGAIN: [11, "Resource temporarily unavailable"],
  ENOMEM: [12, "Cannot allocate memory"],
  EACCES: [13, "Permission denied"],
  EFAULT: [14, "Bad address"],
  EBUSY: [16, "Device or resource busy"],
  EEXIST: [17, "File exists"],
  EXDEV: [18, "Invalid cross-device link"],
  ENODEV: [19, "No such device"],
  ENOTDIR: [20, "Not a directory"],
  EISDIR: [21, "Is a directory"],
  EINVAL: [22, "Invalid argument"],
  ENFILE: [23, "Too many open files in system"],
  EMFILE: [24, "Too many open files"],
  ENOTTY: [25, "Inappropriate ioctl for device"],
  ETXTBSY: [26, "Text file busy"],
  EFBIG: [27, "File too large"],
  ENOSPC: [28, "No space left on device"],
  ESPIPE: [29, "Illegal seek"],
  EROFS: [30, "Read-only file system"],
  EMLINK: [31, "Too many links"],
  EPIPE: [32, "Broken pipe"],
  ERANGE: [34, "Numerical result out of range"],
  EDEADLK: [35, "Resource deadlock avoided"],
  ENAMETOOLONG: [36, "File name too long"],
  ENOSYS: [38, "Function not implemented"],
  ENOTEMPTY: [39, "Directory not empty"],
  ELOOP: [40, "Too many levels of symbolic links"],
  ENOMSG: [42, "No message of desired type"],
  EIDRM: [43, "Identifier removed"],
  ENODATA: [61, "No data available"],
  EOVERFLOW: [75, "Value too large for defined data type"],
  EUSERS: [87, "Too many users"],
  ENOTSOCK: [88, "Socket operation on non-socket"],
  EDESTADDRREQ: [89, "Destination address required"],
  EMSGSIZE: [90, "Message too long"],
  EOPNOTSUPP: [95, "Operation not supported"],
  EAFNOSUPPORT: [97, "Address family not supported by protocol"],
  EADDRINUSE: [98, "Address already in use"],
  EADDRNOTAVAIL: [99, "Cannot assign requested address"],
  ENETDOWN: [100, "Network is down"],
  ENETUNREACH: [101, "Network is unreachable"],
  ECONNABORTED: [103, "Software caused connection abort"],
  ECONNRESET: [104, "Connection reset by peer"],
  EISCONN: [106, "Transport endpoint is already connected"],
  ENOTCONN: [107, "Transport endpoint is not connected"],
  ETIMEDOUT: [110, "Connection timed out"],
  ECONNREFUSED: [111, "Connection refused"],
  EHOSTUNREACH: [113, "No route to host"],
  EALREADY: [114, "Operation already in progress"],
  EINPROGRESS: [115, "Operation now in progress"],
  EDQUOT: [122, "Disk quota exceeded"],
} as const;

export type ErrnoName = keyof typeof table;

/** The text strerror(3) prints for an errno name. */
export function errnoText(name: ErrnoName): string {
  return table[name][1];
}

const byNumber = new Map<number, ErrnoName>(
  Object.entries(table).map(([name, [number]]) => [number, name as ErrnoName]),
);

/** The name of a kernel errno number; EIO for one that the table does not hold. */
export function errnoName(number: number): ErrnoName {
  return byNumber.get(number) ?? "EIO";
}

/** A failed file-system or kernel operation: what errno, on which path. */
export class Errno extends Error {
  override readonly name = "Errno";
  readonly errno: ErrnoName;
  readonly path: string;

  constructor(errno: ErrnoName, path = "") {
    // An errno is an answer and no fault: where it was given is not worth what V8 takes to write a stack trace.
    const tracing = Error as { stackTraceLimit?: number };
    const { stackTraceLimit = 10 } = tracing;
    tracing.stackTraceLimit = 0;
    super(path === "" ? errnoText(errno).toLowerCase() : `${path}: ${errnoText(errno).toLowerCase()}`);
    tracing.stackTraceLimit = stackTraceLimit;
    this.errno = errno;
    this.path = path;
  }
}
