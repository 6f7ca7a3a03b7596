/**
 * Measuring side by side. A machine's speed drifts by more than what we want to tell apart; so contenders take turns,
 * A B C A B C …, and only numbers of one run are compared.
 */
export interface Contender {
  readonly name: string;
  /** Does the thing once and says how many milliseconds it took. */
  readonly once: () => Promise<number>;
}

export interface Times {
  readonly median: number;
  readonly minimum: number;
}

/** Each contender's times over `rounds` turns, after one turn that does not count. */
export async function interleave(contenders: readonly Contender[], rounds: number): Promise<Map<string, Times>> {
  const samples = new Map(contenders.map(({ name }) => [name, [] as number[]]));
  for (let round = -1; round < rounds; round++) {
    for (const { name, once } of contenders) {
      const milliseconds = await once();
      if (round >= 0) samples.get(name)?.push(milliseconds);
    }
  }
  return new Map([...samples].map(([name, values]) => [name, summary(values)]));
}

function summary(values: readonly number[]): Times {
  const sorted = values.toSorted((a, b) => a - b);
  return { median: sorted[Math.floor(sorted.length / 2)] ?? Number.NaN, minimum: sorted[0] ?? Number.NaN };
}
