// The only file that knows benny: runs named cases round by round and gives the samples of each.
import b from "benny";

/** Milliseconds of every sample, by case. */
export type Samples = Map<string, number[]>;

/**
 * benny runs its cases one after another, so a slow second of the machine would fall on one of them:
 * several short rounds interleave them, and the samples of all rounds are pooled.
 */
export async function measure(
  cases: Record<string, () => void>,
  { rounds = 4, secondsPerCase = 0.3 } = {},
): Promise<Samples> {
  const samples: Samples = new Map(Object.keys(cases).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    const timed = Object.entries(cases).map(([name, run]) =>
      b.add(name, run, { minSamples: 3, maxTime: secondsPerCase }),
    );
    const summary = await b.suite(
      `round ${round}`,
      ...timed,
      b.complete(() => undefined),
    );
    for (const { name, details } of summary.results) {
      samples.get(name)!.push(...details.sampleResults.map((seconds) => seconds * 1000));
    }
  }
  return samples;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, c) => a - c);
  return sorted[Math.floor(sorted.length / 2)]!;
}
