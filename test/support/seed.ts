// Runs once before all tests: chooses the seed of what sample.ts draws. The seed is printed again at the end, below the
// failures that it may have led to.
import { isExhaustive } from "./sample.js";

/** The seed that the caller asks for, or a random one. */
function chosenSeed(): string {
  const wanted = process.env["BATCHNORM_SEED"] ?? "";
  if (wanted === "") return String(Math.floor(Math.random() * 2 ** 31));
  if (/^\d+$/.test(wanted) && Number(wanted) < 2 ** 31) return wanted;
  throw new RangeError(`"BATCHNORM_SEED" expected an integer from 0 to ${2 ** 31 - 1}, got "${wanted}"`);
}

export default function chooseSeed(): () => void {
  const seed = chosenSeed();
  process.env["BATCHNORM_SEED"] = seed;
  const print = (): void => {
    if (isExhaustive) console.log(`Exhaustive tests run whole; BATCHNORM_SEED=${seed}.`);
    else
      console.log(`Exhaustive tests are sampled by BATCHNORM_SEED=${seed}; BATCHNORM_EXHAUSTIVE=1 runs all of them.`);
  };
  print();
  return print;
}
