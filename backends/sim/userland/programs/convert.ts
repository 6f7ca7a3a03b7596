/** Files made into others: dos2unix, unix2dos, ts, crc32, shred, fallocate. */
import { concat } from "../../../../core/base/bytes.ts";
import {
  applet,
  chunksOf,
  type Context,
  Failure,
  isErrno,
  linesOf,
  readBytes,
  reasonOf,
  UsageFailure,
} from "../applet.ts";
import { strftime } from "../calendar.ts";
import { type Options, parseOptions } from "../options.ts";

const [newline, carriageReturn] = [10, 13];

/** `toDos`: what the program does when it is not told. */
const lineEnds = (toDos: boolean) =>
  applet(async (context) => {
    const options = parseOptions(context.args, { flags: "ud" });
    const isDos = options.has("d") || (toDos && !options.has("u"));
    if (options.operands.length === 0) {
      await context.out.write(ended(concat(await allOf(context)), isDos));
      return 0;
    }
    for (const path of options.operands) {
      const bytes = await reading(context, path);
      const fd = await context.sys.open(path, { access: "write", truncate: true });
      await context.sys.write(fd, ended(bytes, isDos));
      context.sys.close(fd);
    }
    return 0;
  });

async function allOf({ sys }: Context): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of chunksOf(sys, 0)) {
    sys.allocate(chunk.length);
    chunks.push(chunk);
  }
  return chunks;
}

/** Carriage returns go wherever they stand; for DOS there is one before each newline. */
function ended(bytes: Uint8Array, isDos: boolean): Uint8Array {
  const plain = bytes.filter((byte) => byte !== carriageReturn);
  if (!isDos) return plain;
  return Uint8Array.from([...plain].flatMap((byte) => (byte === newline ? [carriageReturn, newline] : [byte])));
}

async function reading(context: Context, path: string): Promise<Uint8Array> {
  try {
    return await readBytes(context.sys, path);
  } catch (thrown) {
    throw new Failure(`can't open '${path}': ${reasonOf(thrown)}`);
  }
}

/** ts: each line of its input with the time it came. */
const ts = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "is", operandsMax: 1 });
  const isCounted = options.has("i") || options.has("s");
  const format = options.operands[0] ?? (isCounted ? "%b %d %H:%M:%S" : "%b %d %H:%M:%S");
  let since = isCounted ? context.sys.now() : 0n;
  for await (const { bytes, ended: isWhole } of linesOf(context.sys, 0)) {
    const now = context.sys.now();
    await context.out.print(`${strftime(format, now - since)} `);
    await context.out.write(concat([bytes, Uint8Array.from(isWhole ? [newline] : [])]));
    if (options.has("i")) since = now;
  }
  return 0;
});

const polynomial = 0xedb88320;

/** The CRC of ISO 3309, which zip and Ethernet use. */
function crcOf(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) === 1 ? polynomial : 0);
  }
  return ~crc >>> 0;
}

const crc32 = applet(async (context) => {
  const { operands } = parseOptions(context.args, { flags: "" });
  const shown = (bytes: Uint8Array): string => crcOf(bytes).toString(16).padStart(8, "0");
  if (operands.length === 0) await context.out.print(`${shown(concat(await allOf(context)))}\n`);
  for (const path of operands) {
    try {
      await context.out.print(`${shown(await readBytes(context.sys, path))} ${path}\n`);
    } catch (thrown) {
      await context.complain(`can't open '${path}': ${reasonOf(thrown)}`);
    }
  }
  return context.code;
});

const shredBytes = 4096;

const shred = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "fuzvx", valued: "n", operandsMin: 1 });
  for (const path of options.operands) await overwrite(context, path, options);
  return context.code;
});

async function overwrite(context: Context, path: string, options: Options): Promise<void> {
  const { sys } = context;
  const passes = Number(options.value("n") ?? 3);
  let fd: number;
  try {
    fd = await sys.open(path, { access: "write" });
  } catch (thrown) {
    throw new Failure(`can't open '${path}': ${reasonOf(thrown)}`);
  }
  const { size } = sys.statFd(fd);
  for (let pass = 0; pass < passes + Number(options.has("z")); pass++) {
    sys.seek(fd, 0, "set");
    for (let at = 0; at < size; at += shredBytes) {
      const length = Math.min(shredBytes, size - at);
      await sys.write(fd, pass < passes ? sys.random(length) : new Uint8Array(length));
    }
  }
  sys.close(fd);
  if (!options.has("u")) return;
  sys.truncate(path, 0);
  sys.unlink(path);
}

const units: Readonly<Record<string, number>> = { "": 1, k: 1 << 10, K: 1 << 10, m: 1 << 20, M: 1 << 20, G: 1 << 30 };

/** posix_fallocate(3): the file is at least that long afterwards. */
const fallocate = applet(async ({ args, sys }) => {
  const options = parseOptions(args, { flags: "", valued: "lo", operandsMin: 1, operandsMax: 1 });
  const [path = ""] = options.operands;
  if (!options.has("l")) throw new UsageFailure("");
  const end = sizeOf(options.value("l")) + sizeOf(options.value("o") ?? "0");
  const fd = await sys.open(path, { access: "both", create: true, mode: 0o666 });
  sys.close(fd);
  try {
    if (sys.stat(path).size < end) sys.truncate(path, end);
    return 0;
  } catch (thrown) {
    if (isErrno(thrown, "EFBIG", "ENOSPC", "EINVAL")) throw new Failure(`fallocate '${path}': ${reasonOf(thrown)}`);
    throw thrown;
  }
});

function sizeOf(text = ""): number {
  const [, digits, unit = ""] = /^(\d+)([kKmMG]?)$/.exec(text) ?? [];
  if (digits === undefined) throw new Failure(`invalid number '${text}'`);
  return Number(digits) * (units[unit] ?? 1);
}

export const programs = { crc32, dos2unix: lineEnds(false), fallocate, shred, ts, unix2dos: lineEnds(true) };
