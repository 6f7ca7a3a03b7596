/**
 * Command-line options as getopt(3) reads them: letters in clusters, values attached or following,
 * "--" ends them, and options may stand after operands unless told otherwise.
 */
import { Failure, UsageFailure } from "./applet.ts";

export interface Options {
  /** How often, or with which values, a letter was given. */
  has(letter: string): boolean;
  count(letter: string): number;
  value(letter: string): string | undefined;
  values(letter: string): readonly string[];
  /** The given letter that stands last of these, for options that override each other. */
  last(letters: string): string | undefined;
  readonly operands: readonly string[];
}

export interface Grammar {
  /** Letters without a value. */
  readonly flags: string;
  /** Letters with a value. */
  readonly valued?: string;
  /** Long names, to the letter each stands for. */
  readonly long?: Readonly<Record<string, string>>;
  /** The first operand ends the options. */
  readonly inOrder?: boolean;
  /** How many operands there must be at least. */
  readonly operandsMin?: number;
  readonly operandsMax?: number;
}

interface Given {
  readonly letter: string;
  readonly value: string;
}

/** Throws UsageFailure as getopt says it: "invalid option -- 'z'". */
export function parseOptions(args: readonly string[], grammar: Grammar): Options {
  const given: Given[] = [];
  const operands: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (arg === "--" || (grammar.inOrder === true && (!arg.startsWith("-") || arg === "-"))) {
      operands.push(...args.slice(arg === "--" ? at + 1 : at));
      break;
    }
    if (arg.startsWith("--")) at += readLong(arg.slice(2), args[at + 1], grammar, given);
    else if (arg.startsWith("-") && arg !== "-") at += readCluster(arg.slice(1), args[at + 1], grammar, given);
    else operands.push(arg);
  }
  const { operandsMin = 0, operandsMax = Infinity } = grammar;
  if (operands.length < operandsMin || operands.length > operandsMax) throw new UsageFailure("");
  return optionsOf(given, operands);
}

/** A whole number within bounds, as busybox asks for one. */
export function countWithin(text: string, least: number, most: number): number {
  if (!/^\d+$/.test(text)) throw new Failure(`invalid number '${text}'`);
  const count = Number(text);
  if (count < least || count > most) throw new Failure(`number ${text} is not in ${least}..${most} range`);
  return count;
}

function optionsOf(given: readonly Given[], operands: readonly string[]): Options {
  const values = (letter: string): string[] => given.filter((each) => each.letter === letter).map(({ value }) => value);
  return {
    has: (letter) => given.some((each) => each.letter === letter),
    count: (letter) => values(letter).length,
    value: (letter) => values(letter).at(-1),
    values,
    last: (letters) => given.findLast(({ letter }) => letters.includes(letter))?.letter,
    operands,
  };
}

/** Gives how many arguments more it took. */
function readCluster(cluster: string, next: string | undefined, grammar: Grammar, given: Given[]): number {
  for (let at = 0; at < cluster.length; at++) {
    const letter = cluster.charAt(at);
    if (grammar.valued?.includes(letter) === true) {
      const attached = cluster.slice(at + 1);
      if (attached === "" && next === undefined) throw new UsageFailure(`option requires an argument -- '${letter}'`);
      given.push({ letter, value: attached === "" ? (next ?? "") : attached });
      return attached === "" ? 1 : 0;
    }
    if (!grammar.flags.includes(letter)) throw new UsageFailure(`invalid option -- '${letter}'`);
    given.push({ letter, value: "" });
  }
  return 0;
}

function readLong(text: string, next: string | undefined, grammar: Grammar, given: Given[]): number {
  const [name = "", ...rest] = text.split("=");
  const letter = grammar.long?.[name];
  if (letter === undefined) throw new UsageFailure(`unrecognized option '--${text}'`);
  const isValued = grammar.valued?.includes(letter) === true;
  if (isValued && rest.length === 0 && next === undefined)
    throw new UsageFailure(`option '--${name}' requires an argument`);
  given.push({ letter, value: rest.length > 0 ? rest.join("=") : isValued ? (next ?? "") : "" });
  return isValued && rest.length === 0 ? 1 : 0;
}
