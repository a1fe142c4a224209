// Exhaustive tests take long, so a run on a developer's machine takes a random sample of their cases. Continuous
// integration runs them all.
import { random } from "../../src/verify/data.js";

const isSet = (name: string): boolean => !["", "0", "false"].includes(process.env[name] ?? "");

/** Whether everything runs: wherever CI is set, as GitHub does, and with BATCHNORM_EXHAUSTIVE=1. */
export const isExhaustive = isSet("CI") || isSet("BATCHNORM_EXHAUSTIVE");

/** One seed for the whole run, which seed.ts chooses and prints. */
export const seed = Number(process.env["BATCHNORM_SEED"]);

/** Every test draws from its own sequence, so that a file that is run alone draws what it drew among all files. */
function sequenceOf(what: string): () => number {
  let hash = seed;
  for (const letter of what) hash = Math.imul(hash, 31) + letter.codePointAt(0)!;
  return random(hash);
}

/** What is to be run, chosen by the seed and in the order of `all`; prints how many of how many that is. */
export function sample<T>(
  what: string,
  all: readonly T[],
  size: number,
  /** Every kind that occurs in `all` occurs in the sample, even if the sample becomes larger than `size`. */
  kindsOf: (one: T) => readonly string[] = () => [],
): readonly T[] {
  const chosen = isExhaustive ? new Set(all.keys()) : chosenOf(all, size, kindsOf, sequenceOf(what));
  const why = isExhaustive ? "everything runs" : `BATCHNORM_SEED=${seed}`;
  console.log(`${what}: ${chosen.size} of ${all.length} (${why})`);
  return all.filter((_, index) => chosen.has(index));
}

/** The indices of a sample: first those that show the most kinds that are not yet in it, then any. */
export function chosenOf<T>(
  all: readonly T[],
  size: number,
  kindsOf: (one: T) => readonly string[],
  next: () => number,
): Set<number> {
  const kinds = all.map(kindsOf);
  const order = all.map((_, index) => ({ index, key: next() })).sort((a, b) => a.key - b.key);
  const chosen = new Set<number>();
  const missing = new Set(kinds.flat());
  const gain = (index: number): number => kinds[index]!.filter((kind) => missing.has(kind)).length;
  while (missing.size > 0) {
    const best = order.reduce((a, b) => (gain(b.index) > gain(a.index) ? b : a));
    chosen.add(best.index);
    for (const kind of kinds[best.index]!) missing.delete(kind);
  }
  for (const { index } of order) {
    if (chosen.size >= size) break;
    chosen.add(index);
  }
  return chosen;
}
