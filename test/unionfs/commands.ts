/**
 * Random commands for the kernel and for core/unionfs. What a command is about is chosen when its turn comes, mostly
 * among what is there by then, so that it seldom fails for want of a file and often meets what went through many hands:
 * files copied up without data, moved directories, names that were taken away, hard links.
 */
import fc from "fast-check";
import type { Command } from "./performing.ts";
import type { Step, Surroundings } from "./surroundings.ts";

type Field = (around: Surroundings) => string;

const paths = (from: (around: Surroundings) => readonly string[], otherwise: string): fc.Arbitrary<Field> =>
  fc.nat(999).map((number) => (around) => chosen(from(around), number) ?? otherwise);

/** One of them, the same as long as it is there: so a shorter script means the same files. */
function chosen(all: readonly string[], number: number): string | null {
  let best: string | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const path of all) {
    let hash = number;
    for (let at = 0; at < path.length; at++) hash = Math.imul(hash ^ path.charCodeAt(at), 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) >>> 8;
    if (hash < least) [best, least] = [path, hash];
  }
  return best;
}

const file = paths((around) => around.of("file"), "a");
const directory = paths((around) => around.of("directory"), "b");
const anything = paths((around) => around.of(null), "a");
const gone = paths((around) => around.gone, "c");

const plain = fc.constantFrom("a", "a", "b", "b", "c", "d");
/** Of two bytes, and of one that is no character. */
const strange = fc.constantFrom("é", "\udcff");
const name = fc.oneof({ weight: 30, arbitrary: plain }, { weight: 1, arbitrary: strange });
const long = fc.constantFrom("x".repeat(255), "x".repeat(256), "é".repeat(127), "é".repeat(128), "\udcff".repeat(256));
const rare = fc.oneof(fc.constantFrom(".", "..", "e"), long);
const component = fc.oneof({ weight: 40, arbitrary: name }, { weight: 1, arbitrary: rare });
const wild = fc
  .tuple(
    fc.array(component, { minLength: 1, maxLength: 3 }),
    fc.oneof({ weight: 20, arbitrary: fc.constant("") }, { weight: 1, arbitrary: fc.constantFrom("/", "//", "/.") }),
  )
  .map(([parts, end]) => `${parts.join("/")}${end}`);
const wildField = wild.map((path) => () => path);
const inDirectory = fc.tuple(fc.option(directory, { freq: 3 }), name).map(
  ([parent, last]): Field =>
    (around) =>
      parent === null ? last : `${parent(around)}/${last}`,
);
const newName = fc.oneof({ weight: 3, arbitrary: inDirectory }, { weight: 1, arbitrary: gone }, wildField);

/** Mostly `wanted`, sometimes anything. */
function mostly(wanted: fc.Arbitrary<Field>): fc.Arbitrary<Field> {
  return fc.oneof({ weight: 8, arbitrary: wanted }, { weight: 1, arbitrary: anything }, wildField);
}

const target = fc.oneof(
  wild,
  wild.map((each) => `/${each}`),
  wild.map((each) => `../${each}`),
  fc.constantFrom("/", "..", "a", "b/a"),
);
const mode = fc.constantFrom("755", "755", "644", "700", "600", "1777", "2775", "4755", "0", "6711");
const slot = fc.constantFrom("0", "1", "2");
const size = fc.constantFrom("0", "1", "5", "5", "4096", "5000", "70000");
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
const reading = fc.constantFrom("r", "r", "rn", "rd");
const writing = fc.constantFrom("w", "rw", "wa", "wt", "rwt", "rwn", "w");
const making = fc.constantFrom("wc", "rwc", "wc", "wcx", "wca", "rwct", "rcd");
const exchange = fc.constantFrom("0", "0", "0", "1", "2", "2");
const symlinkToo = fc.constantFrom("", "n");

function command(first: string, ...fields: fc.Arbitrary<Field | string>[]): fc.Arbitrary<Step> {
  return fc
    .tuple(...fields)
    .map((all) => (around) => [[first, ...all.map((field) => (typeof field === "string" ? field : field(around)))]]);
}

const constant = fc.constant;

/** Takes away all that is in a directory, and it, and makes another one of its name. */
const remaking = fc.tuple(directory, mode, fc.boolean()).map(
  ([which, bits, isLeft]): Step =>
    (around) => {
      const path = which(around);
      const within = around.of(null).filter((each) => each.startsWith(`${path}/`) || each === path);
      const removed = within.toSorted().toReversed();
      const removing = removed.map((each): Command => [around.is(each, "directory") ? "rmdir" : "unlink", each]);
      return isLeft ? removing : [...removing, ["mkdir", path, bits]];
    },
);

/** What has been dated shows who writes to it: all else is of now. */
export const dating: fc.Arbitrary<Step> = command(
  "utimes",
  fc.oneof({ weight: 3, arbitrary: file }, anything),
  constant("3"),
  constant("4"),
  constant("n"),
);

const creating: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: command("mkdir", newName, mode) },
  { weight: 5, arbitrary: command("open", slot, newName, making, mode) },
  { weight: 3, arbitrary: command("symlink", target, newName) },
  {
    weight: 1,
    arbitrary: command("mknod", newName, fc.constantFrom("fifo", "socket", "file"), mode, constant("0"), constant("0")),
  },
  {
    weight: 1,
    arbitrary: command("mknod", newName, fc.constantFrom("character", "block"), mode, constant("1"), constant("3")),
  },
  { weight: 4, arbitrary: command("link", mostly(file), newName) },
);

const moving: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: command("rename", mostly(directory), newName, exchange) },
  { weight: 2, arbitrary: command("rename", mostly(file), newName, exchange) },
  { weight: 2, arbitrary: command("rename", mostly(anything), mostly(anything), exchange) },
);

const removing: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: command("rmdir", mostly(directory)) },
  { weight: 4, arbitrary: command("unlink", mostly(anything)) },
  { weight: 1, arbitrary: remaking },
);

const filling: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: command("open", slot, mostly(file), writing, mode) },
  { weight: 5, arbitrary: command("write", slot, size, fc.constantFrom("65", "66")) },
  { weight: 2, arbitrary: command("truncate", mostly(file), size) },
);

const changing: fc.Arbitrary<Step> = fc.oneof(
  command("chmod", mostly(anything), mode),
  command("chown", mostly(anything), id, group, symlinkToo),
  command("utimes", mostly(anything), constant("3"), fc.constantFrom("4", "5"), symlinkToo),
  command("setx", mostly(anything), attribute, fc.constantFrom("v", "w", "")),
  command("rmx", mostly(anything), attribute),
);

/** Of the root user: what builds trees. */
export const building: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: creating },
  { weight: 7, arbitrary: moving },
  { weight: 6, arbitrary: removing },
  { weight: 8, arbitrary: filling },
  { weight: 8, arbitrary: changing },
);

const user = fc.constantFrom(["0", "0", ""], ["0", "0", ""], ["1000", "1000", ""], ["1001", "1000", "2000"]);

const counted = fc.constantFrom(
  "all",
  "none",
  ...["CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "MKNOD", "SYS_ADMIN"],
  ...["CHOWN,FOWNER", "DAC_OVERRIDE,FSETID", "DAC_READ_SEARCH,FOWNER", "FOWNER,SYS_ADMIN"],
);

/** Somebody of whose capabilities some count. */
const becoming = fc.tuple(user, counted).map(([fields, names]): Step => ["as", ...fields, names]);

/** Of anybody: also what only looks, and descriptors. */
export const using: fc.Arbitrary<Step> = fc.oneof(
  { weight: 50, arbitrary: building },
  { weight: 3, arbitrary: command("open", slot, mostly(file), reading, mode) },
  { weight: 1, arbitrary: command("open", slot, mostly(directory), constant("rwu"), mode) },
  { weight: 3, arbitrary: command("read", slot, size) },
  {
    weight: 3,
    arbitrary: command("seek", slot, fc.constantFrom("0", "3", "5000", "-1"), fc.constantFrom("set", "current", "end")),
  },
  { weight: 1, arbitrary: command("ftruncate", slot, size) },
  { weight: 2, arbitrary: command("fstat", slot) },
  { weight: 2, arbitrary: command("close", slot) },
  { weight: 1, arbitrary: command("flink", slot, newName) },
  { weight: 2, arbitrary: command("stat", mostly(anything)) },
  { weight: 2, arbitrary: command("lstat", mostly(anything)) },
  { weight: 1, arbitrary: command("access", mostly(anything), fc.constantFrom("0", "1", "2", "4", "7")) },
  { weight: 1, arbitrary: command("readlink", mostly(anything)) },
  { weight: 1, arbitrary: command("list", mostly(directory)) },
  { weight: 1, arbitrary: command("getx", mostly(anything), attribute) },
  { weight: 2, arbitrary: user.map((fields): Step => ["as", ...fields]) },
  { weight: 1, arbitrary: becoming },
  { weight: 1, arbitrary: constant<Step>(["as", "0", "0", ""]) },
  { weight: 1, arbitrary: command("umask", fc.constantFrom("0", "22", "77")) },
);

const wildAtRoot = wild.map((path) => `../${path}`);
const upwards = fc.oneof(wild, wildAtRoot, fc.constantFrom("..", "../..", ".", "../.", "../../a", "./b"));
const upwardsField = upwards.map((path) => () => path);

/** By a path that begins at a directory: also above it, and so out of what is mounted there. */
const elsewhere = fc
  .tuple(
    directory,
    fc.oneof(
      command("lstat", upwardsField),
      command("list", upwardsField),
      command("open", slot, upwardsField, fc.oneof(reading, making), mode),
      command("mkdir", upwardsField, mode),
      command("rmdir", upwardsField),
      command("unlink", upwardsField),
      command("rename", upwardsField, upwardsField, exchange),
      command("link", upwardsField, upwardsField),
    ),
  )
  .map(
    ([from, step]): Step =>
      (around) =>
        (typeof step === "function" ? step(around) : [step]).map((each) => ["at", from(around), ...each]),
  );

/** By no symlink: it may lead anywhere, out of the tree too. */
const plainly = (step: Step): Step => {
  if (typeof step !== "function") return step;
  return (around) =>
    step(around).map(([name = "", from = "", to = "", ...rest]): Command => {
      const paths = name === "bind" ? [from, to] : [from];
      const isPlain = paths.every((path) => around.is(path, "directory") || around.is(path, "file"));
      return isPlain ? [name, from, to, ...rest] : ["lstat", from];
    });
};

const bindFlags = fc.constantFrom("", "", "r", "R");

/** Mounts within the tree, and what else only a whole kernel can do. */
export const mounting: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: command("bind", directory, directory, bindFlags).map(plainly) },
  { weight: 2, arbitrary: command("bind", file, file, bindFlags).map(plainly) },
  { weight: 1, arbitrary: command("bind", anything, anything, bindFlags).map(plainly) },
  { weight: 1, arbitrary: command("tmpfs", directory).map(plainly) },
  { weight: 3, arbitrary: command("unmount", directory, fc.constantFrom("", "", "l")).map(plainly) },
  { weight: 1, arbitrary: command("unmount", file, fc.constantFrom("", "l")).map(plainly) },
  { weight: 6, arbitrary: elsewhere },
  { weight: 3, arbitrary: becoming },
  { weight: 2, arbitrary: constant<Step>(["as", "0", "0", ""]) },
  { weight: 1, arbitrary: command("open", slot, mostly(anything), fc.constantFrom("p", "pn", "pd"), mode) },
);

const ways = fc.constantFrom("a", "b", "c", "/a", "/b", "/b/a", "/a/b/c", "d", "/", "", "..", "a/b", "/../a", "//a");

const directoryOrRoot = fc.oneof(
  directory,
  constant<Field>(() => "."),
);

function mark(of: fc.Arbitrary<Field>, name: string, values: fc.Arbitrary<string>): fc.Arbitrary<Step> {
  return fc
    .constantFrom("trusted.overlay.", "trusted.overlay.", "user.overlay.")
    .chain((prefix) => command("setx", of, constant(`${prefix}${name}`), values));
}

const whiteoutDevice = command("mknod", newName, constant("character"), constant("0"), constant("0"), constant("0"));
const emptying = command("truncate", file, constant("0"));

/** What nobody but overlayfs writes into a layer, right and wrong. */
export const marking: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: mark(directoryOrRoot, "opaque", fc.constantFrom("y", "n", "yy")) },
  { weight: 4, arbitrary: mark(anything, "redirect", ways) },
  { weight: 2, arbitrary: mark(file, "metacopy", fc.constantFrom("", "v")) },
  { weight: 1, arbitrary: mark(file, "whiteout", constant("y")) },
  { weight: 1, arbitrary: emptying },
  { weight: 1, arbitrary: whiteoutDevice },
);

/** Files that are whiteouts, and directories that say so. */
export const markingWhiteouts: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: mark(directoryOrRoot, "opaque", fc.constantFrom("x", "x", "y")) },
  { weight: 3, arbitrary: mark(file, "whiteout", fc.constantFrom("", "y")) },
  { weight: 1, arbitrary: emptying },
  { weight: 1, arbitrary: whiteoutDevice },
);

/** Holes are looked for on tmpfs only: how a union copies them is the lower file system's affair. */
export const seekingHoles: fc.Arbitrary<Step> = command(
  "seek",
  slot,
  fc.constantFrom("0", "1", "4096", "5000", "70000"),
  fc.constantFrom("data", "hole"),
);
