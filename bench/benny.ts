// The only file that knows benny: runs named cases round by round and pools the samples of each.
import b from "benny";

/** Milliseconds of every sample, by case. */
export type Samples = Map<string, number[]>;

interface Settings {
  readonly rounds?: number;
  readonly secondsPerCase?: number;
}

/**
 * benny runs its cases one after another, so a slow second of the machine would fall on one of them:
 * several short rounds interleave them.
 */
export async function measure(
  cases: Record<string, () => void>,
  progress: (round: number, rounds: number) => void,
  { rounds = 5, secondsPerCase = 0.25 }: Settings = {},
): Promise<Samples> {
  const samples: Samples = new Map(Object.keys(cases).map((name) => [name, []]));
  for (let round = 1; round <= rounds; round++) {
    progress(round, rounds);
    const timed = Object.entries(cases).map(([name, run]) =>
      b.add(name, run, { minSamples: 3, maxTime: secondsPerCase }),
    );
    const { results } = await quietly(() =>
      b.suite(
        "",
        ...timed,
        b.complete(() => undefined),
      ),
    );
    for (const { name, details } of results) {
      samples.get(name)!.push(...details.sampleResults.map((seconds) => seconds * 1000));
    }
  }
  return samples;
}

/** benny announces every suite on the console; there is one table at the end instead. */
async function quietly<T>(run: () => Promise<T>): Promise<T> {
  const { log } = console;
  console.log = () => undefined;
  try {
    return await run();
  } finally {
    console.log = log;
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, c) => a - c);
  return sorted[Math.floor(sorted.length / 2)]!;
}
