import assert from "node:assert/strict";
import { test } from "node:test";
import { FlagProblem, flag, parseFlags } from "./flags.ts";
import { parseSize } from "./values/size.ts";

const table = {
  rm: flag.bool(null, ""),
  tty: flag.bool("t", ""),
  interactive: flag.bool("i", ""),
  proxy: flag.bool(null, "", true),
  env: flag.list("e", ""),
  memory: flag.value("m", "bytes", "", 0, parseSize),
  tail: flag.integer("n", ""),
};

function parse(line: string, interspersed = false) {
  const { values, args } = parseFlags(table, line.split(" "), interspersed);
  return { values, args };
}

const untouched = { rm: false, tty: false, interactive: false, proxy: true, env: [], memory: 0, tail: 0 };

test("values follow a name, an equals sign, or a letter at once", () => {
  assert.deepEqual(parse("--env a=1 --env=b=2 -e c -ed -e=e -m 1k -n-5 image"), {
    values: { ...untouched, env: ["a=1", "b=2", "c", "d", "e"], memory: 1024, tail: -5 },
    args: ["image"],
  });
});

test("letters cluster, and the last one may take the rest as its value", () => {
  assert.deepEqual(parse("-itea=1 image").values, { ...untouched, tty: true, interactive: true, env: ["a=1"] });
});

test("a switch can be put off", () => {
  assert.deepEqual(parse("--proxy=false --rm=1 -t=false image").values, { ...untouched, proxy: false, rm: true });
});

test("flags end at the first argument where a program follows", () => {
  assert.deepEqual(parse("--rm image sh -c --rm").args, ["image", "sh", "-c", "--rm"]);
});

test("elsewhere they may follow arguments, up to a double dash", () => {
  assert.deepEqual(parse("a --rm b -- -t - c", true), {
    values: { ...untouched, rm: true },
    args: ["a", "b", "-t", "-", "c"],
  });
});

test("a value that looks like a flag is a value", () => {
  assert.deepEqual(parse("-e --rm image").values.env, ["--rm"]);
});

const wrong: Readonly<Record<string, string>> = {
  "--nope": "unknown flag: --nope",
  "-iz": "unknown shorthand flag: 'z' in -z",
  "--env": "flag needs an argument: --env",
  "-ie": "flag needs an argument: 'e' in -e",
  "--=x": "bad flag syntax: --=x",
  "--rm=maybe": 'invalid argument "maybe" for "--rm" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
  "-m 1x": 'invalid argument "1x" for "-m, --memory" flag: invalid size: \'1x\'',
  "--toString": "unknown flag: --toString",
};
for (const [line, message] of Object.entries(wrong))
  test(`${line} is refused in pflag's words`, () => {
    assert.throws(() => parse(line), new FlagProblem(message));
  });
