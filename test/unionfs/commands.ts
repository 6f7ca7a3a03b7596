/** Random commands for the kernel and for core/unionfs: few names, so that they meet often. */
import fc from "fast-check";
import type { Command } from "./performing.ts";

const name = fc.constantFrom("a", "a", "b", "b", "c", "d");
const rare = fc.constantFrom(".", "..", "e", "x".repeat(255), "x".repeat(256));
const component = fc.oneof({ weight: 40, arbitrary: name }, { weight: 1, arbitrary: rare });
const path = fc
  .tuple(
    fc.array(component, { minLength: 1, maxLength: 3 }),
    fc.oneof({ weight: 20, arbitrary: fc.constant("") }, { weight: 1, arbitrary: fc.constantFrom("/", "//", "/.") }),
  )
  .map(([parts, end]) => `${parts.join("/")}${end}`);
const target = fc.oneof(
  path,
  path.map((each) => `/${each}`),
  path.map((each) => `../${each}`),
  fc.constantFrom("/", "..", "a", "b/a"),
);
const mode = fc.constantFrom("755", "755", "644", "700", "600", "1777", "2775", "4755", "0", "6711");
const slot = fc.constantFrom("0", "1", "2");
const size = fc.constantFrom("0", "1", "5", "4096", "5000", "70000");
const user = fc.constantFrom(["0", "0", ""], ["0", "0", ""], ["1000", "1000", ""], ["1001", "1000", "2000"]);
const id = fc.constantFrom("-1", "0", "1000", "1001");
const group = fc.constantFrom("-1", "0", "1000", "2000");
const attribute = fc.constantFrom(
  "user.a",
  "user.b",
  "trusted.a",
  "security.a",
  "none.a",
  "trusted.overlay.opaque",
  "user.overlay.x",
);
const flags = fc.constantFrom(
  "r",
  "rw",
  "wc",
  "rwc",
  "wc",
  "wcx",
  "wt",
  "wca",
  "rwct",
  "rn",
  "rwn",
  "rwu",
  "rd",
  "rcd",
  "r",
  "wa",
);

function command(first: string, ...fields: fc.Arbitrary<string>[]): fc.Arbitrary<Command> {
  return fc.tuple(...fields).map((rest) => [first, ...rest]);
}

const constant = fc.constant;

/** Of the root user: what builds trees. */
export const building: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: command("mkdir", path, mode) },
  { weight: 2, arbitrary: command("rmdir", path) },
  { weight: 4, arbitrary: command("unlink", path) },
  { weight: 7, arbitrary: fc.tuple(slot, path, flags, mode).map((fields) => ["open", ...fields]) },
  { weight: 5, arbitrary: command("write", slot, size, fc.constantFrom("65", "66")) },
  { weight: 4, arbitrary: command("rename", path, path, fc.constantFrom("0", "0", "0", "1", "2")) },
  { weight: 3, arbitrary: command("link", path, path) },
  { weight: 3, arbitrary: command("symlink", target, path) },
  {
    weight: 1,
    arbitrary: command("mknod", path, fc.constantFrom("fifo", "socket", "file"), mode, constant("0"), constant("0")),
  },
  {
    weight: 1,
    arbitrary: command("mknod", path, fc.constantFrom("character", "block"), mode, constant("1"), constant("3")),
  },
  { weight: 2, arbitrary: command("truncate", path, size) },
  { weight: 2, arbitrary: command("chmod", path, mode) },
  { weight: 2, arbitrary: command("chown", path, id, group, fc.constantFrom("", "n")) },
  { weight: 2, arbitrary: command("utimes", path, constant("3"), fc.constantFrom("4", "5"), fc.constantFrom("", "n")) },
  { weight: 2, arbitrary: command("setx", path, attribute, fc.constantFrom("v", "w", "")) },
  { weight: 1, arbitrary: command("rmx", path, attribute) },
);

/** Of anybody: also what only looks, and descriptors. */
export const using: fc.Arbitrary<Command> = fc.oneof(
  { weight: 50, arbitrary: building },
  { weight: 3, arbitrary: command("read", slot, size) },
  {
    weight: 3,
    arbitrary: command("seek", slot, fc.constantFrom("0", "3", "5000", "-1"), fc.constantFrom("set", "current", "end")),
  },
  { weight: 1, arbitrary: command("ftruncate", slot, size) },
  { weight: 2, arbitrary: command("fstat", slot) },
  { weight: 2, arbitrary: command("close", slot) },
  { weight: 1, arbitrary: command("flink", slot, path) },
  { weight: 2, arbitrary: command("stat", path) },
  { weight: 2, arbitrary: command("lstat", path) },
  { weight: 1, arbitrary: command("access", path, fc.constantFrom("0", "1", "2", "4", "7")) },
  { weight: 1, arbitrary: command("readlink", path) },
  { weight: 1, arbitrary: command("list", path) },
  { weight: 1, arbitrary: command("getx", path, attribute) },
  { weight: 3, arbitrary: user.map((fields) => ["as", ...fields]) },
  { weight: 1, arbitrary: command("umask", fc.constantFrom("0", "22", "77")) },
);

/** Holes are looked for on tmpfs only: how a union copies them is the lower file system's affair. */
export const seekingHoles: fc.Arbitrary<Command> = command(
  "seek",
  slot,
  fc.constantFrom("0", "1", "4096", "5000", "70000"),
  fc.constantFrom("data", "hole"),
);
