/** factor(1): the prime factors of numbers below 2^64; small ones by trial, large ones by Pollard's rho (J. M. Pollard, 1975). */
import { allLines, applet, type Context, UsageFailure } from "../applet.ts";

const numbersMax = 2n ** 64n;
const trialMax = 4096n;
/** These bases tell primes below 2^64 from all others (Sorenson and Webster, 2015). */
const witnesses = [2n, 3n, 5n, 7n, 11n, 13n, 17n, 19n, 23n, 29n, 31n, 37n];

const factor = applet(async (context) => {
  const { args, sys } = context;
  if (args.length > 0) for (const word of args) await show(context, word);
  else
    for (const line of (await allLines(sys, 0)).lines)
      for (const word of line.split(/\s+/).filter((each) => each !== "")) await show(context, word);
  return 0;
});

async function show({ out, sys }: Context, word: string): Promise<void> {
  if (!/^\d+$/.test(word) || BigInt(word) >= numbersMax) throw new UsageFailure("");
  const factors = factorsOf(BigInt(word));
  await sys.work(factors.length);
  await out.print(`${[`${BigInt(word)}:`, ...factors].join(" ")}\n`);
}

/** In order; none of 0 and 1. */
function factorsOf(number: bigint): bigint[] {
  const factors: bigint[] = [];
  let rest = number;
  for (let divisor = 2n; divisor < trialMax && divisor * divisor <= rest; divisor++)
    for (; rest % divisor === 0n; rest /= divisor) factors.push(divisor);
  if (rest > 1n) factors.push(...largeFactors(rest));
  return factors.sort((one, other) => (one < other ? -1 : Number(one > other)));
}

function largeFactors(number: bigint): bigint[] {
  if (number < trialMax * trialMax || isPrime(number)) return [number];
  const divisor = divisorOf(number);
  return [...largeFactors(divisor), ...largeFactors(number / divisor)];
}

/** Miller and Rabin's test. */
function isPrime(number: bigint): boolean {
  let [odd, twos] = [number - 1n, 0];
  for (; odd % 2n === 0n; twos++) odd /= 2n;
  return witnesses.every((base) => {
    let power = powerOf(base, odd, number);
    if (power === 1n) return true;
    for (let count = 0; count < twos; count++) {
      if (power === number - 1n) return true;
      power = (power * power) % number;
    }
    return false;
  });
}

function powerOf(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let [result, square] = [1n, base % modulus];
  for (let rest = exponent; rest > 0n; rest /= 2n) {
    if (rest % 2n === 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

/** Of a number that is not prime. */
function divisorOf(number: bigint): bigint {
  for (let step = 1n; ; step++) {
    const next = (value: bigint): bigint => (value * value + step) % number;
    let [slow, fast, divisor] = [2n, 2n, 1n];
    while (divisor === 1n) {
      slow = next(slow);
      fast = next(next(fast));
      divisor = commonDivisor(slow > fast ? slow - fast : fast - slow, number);
    }
    if (divisor !== number) return divisor;
  }
}

function commonDivisor(one: bigint, other: bigint): bigint {
  let [a, b] = [one, other];
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}

export const programs = { factor };
