// The only file that knows benny: runs named cases round by round and pools the samples of each.
import b from "benny";

/** Milliseconds of every sample, by case. */
export type Samples = ReadonlyMap<string, readonly number[]>;

export interface Bounds {
  /** Rounds go on until this is used up, but there are at least `least` and at most `most`. */
  readonly seconds: number;
  readonly least: number;
  readonly most: number;
  /** Of a case in a round. Three calls are the fewest: two that benny makes to prepare, and a sample. */
  readonly secondsPerCase: number;
  /** Of calls before the first round, a case: small ones are slow until the compiler has seen thousands. */
  readonly warmUpSeconds: number;
  /** Those of the first round alone, where a call takes a good part of a second. */
  readonly once?: ReadonlySet<string>;
  /** Before every round. */
  readonly prepare?: () => void;
}

/** Seconds that a sample averages over; longer calls are a sample each. */
const SAMPLE = 0.001;

function warmUp(run: () => void, seconds: number): void {
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) run();
}

/**
 * benny runs its cases one after another, so a slow second of the machine would fall on one of them:
 * several short rounds interleave them.
 */
export async function measure(cases: ReadonlyMap<string, () => void>, bounds: Bounds): Promise<Samples> {
  const { seconds, least, most, secondsPerCase, once, prepare } = bounds;
  const samples = new Map<string, number[]>([...cases.keys()].map((name) => [name, []]));
  const end = performance.now() + seconds * 1000;
  for (const run of cases.values()) warmUp(run, bounds.warmUpSeconds);
  for (let round = 0; round < most && (round < least || performance.now() < end); round++) {
    prepare?.();
    const timed = [...cases]
      .filter(([name]) => round === 0 || !once?.has(name))
      .map(([name, run]) => b.add(name, run, { minSamples: 1, minTime: SAMPLE, maxTime: secondsPerCase }));
    const { results } = await quietly(() =>
      b.suite(
        "",
        ...timed,
        b.complete(() => undefined),
      ),
    );
    for (const { name, details } of results) {
      samples.get(name)!.push(...details.sampleResults.map((value) => value * 1000));
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
