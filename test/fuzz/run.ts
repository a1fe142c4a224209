// Run by main.ts: run.ts SECONDS SEED. Writes the seed of each case to the file 3 before it plays it.
import { writeSync } from "node:fs";
import { sizeOf } from "../../src/verify/cases.js";
import { clearProgress, showProgress } from "../../src/cli/progress.js";
import { compareCase, contenders } from "./compare.js";
import { drawCase } from "./draw.js";
import { MOST_SEED } from "./options.js";

const SEED_FILE = 3;
const [seconds, first] = process.argv.slice(2).map(Number) as [number, number];
const others = contenders();
const tally = { cases: 0, comparisons: 0, accepted: 0, elements: 0, failed: 0 };

console.log(`fuzz: ${seconds} s, from seed ${first}; the oracle and ${others.map(({ name }) => name).join(", ")}`);

if (others.length === 0) throw new Error("no backend but the oracle works here: there is nothing to compare");

/** Plays the case of a seed; false where a backend differs. */
function passes(seed: number): boolean {
  writeSync(SEED_FILE, `${String(seed).padEnd(10)}\n`, 0);
  const one = drawCase(seed);
  const { faults, runs, isAccepted } = compareCase(one, others);
  tally.cases++;
  tally.comparisons += runs;
  tally.accepted += Number(isAccepted);
  tally.elements += runs * sizeOf(one.extent);
  tally.failed += faults.length;
  if (faults.length === 0) return true;
  clearProgress();
  console.log(`seed ${seed}\n  ${faults.join("\n  ")}\n  ${JSON.stringify(one)}`);
  console.log(`again: npm run fuzz -- --seed ${seed} --seconds 1`);
  return false;
}

/** Until the time is up, or a case fails. */
function run(): void {
  const start = performance.now();
  const elapsed = (): number => (performance.now() - start) / 1000;
  for (let seed = first; elapsed() < seconds; seed = (seed + 1) % MOST_SEED) {
    if (!passes(seed)) return;
    showProgress(`${Math.floor(elapsed())} of ${seconds} s, ${tally.cases} cases`);
  }
  clearProgress();
}

run();
const { cases, comparisons, accepted, elements, failed } = tally;
console.log(
  `${cases} cases, ${accepted} of them accepted, ${comparisons} comparisons, tensors of ${elements} elements`,
);
console.log(`${comparisons - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
