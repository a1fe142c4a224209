// Run by main.ts: run.ts SECONDS SEED ASYNC. Writes the seed of each case to the file 3 before it plays it.
import { writeSync } from "node:fs";
import { sizeOf } from "../../src/verify/cases.js";
import { clearProgress, showProgress } from "../../src/cli/progress.js";
import { compareAsyncCase, type Fates } from "./async/compare.js";
import { drawAsyncCase } from "./async/draw.js";
import { compareCase, contenders, type Compared } from "./compare.js";
import { drawCase, type FuzzCase } from "./draw.js";
import { MOST_SEED, again, isAsync } from "./options.js";

const SEED_FILE = 3;
const [seconds, first, share] = process.argv.slice(2).map(Number) as [number, number, number];
const others = contenders();
const tally = { cases: 0, async: 0, comparisons: 0, accepted: 0, elements: 0, failed: 0 };
const ends = { done: 0, refused: 0, aborted: 0, busy: 0, detached: 0 };

console.log(`fuzz: ${seconds} s, from seed ${first}; the oracle and ${others.map(({ name }) => name).join(", ")}`);

if (others.length === 0) throw new Error("no backend but the oracle works here: there is nothing to compare");

/** What was drawn, and how it went. */
interface Result extends Compared {
  readonly drawn: unknown;
  readonly extents: readonly FuzzCase["extent"][];
}

async function resultOf(seed: number): Promise<Result> {
  if (!isAsync(seed, share)) {
    const one = drawCase(seed);
    return { ...compareCase(one, others), drawn: one, extents: [one.extent] };
  }
  const drawn = drawAsyncCase(seed);
  const { fates, ...compared } = await compareAsyncCase(drawn, others);
  tally.async++;
  for (const fate of Object.keys(fates) as (keyof Fates)[]) ends[fate] += fates[fate];
  return { ...compared, drawn, extents: drawn.tracks.map(({ one }) => one.extent) };
}

/** No call may throw an error that is not the library's. */
const thrown = (error: Error): Result => ({
  faults: [error.stack ?? error.message],
  runs: 1,
  isAccepted: false,
  drawn: null,
  extents: [],
});

/** Plays the case of a seed; false where a backend differs. */
async function passes(seed: number): Promise<boolean> {
  writeSync(SEED_FILE, `${String(seed).padEnd(10)}\n`, 0);
  const { faults, runs, isAccepted, drawn, extents } = await resultOf(seed).catch(thrown);
  tally.cases++;
  tally.comparisons += runs;
  tally.accepted += Number(isAccepted);
  for (const extent of extents) tally.elements += runs * sizeOf(extent);
  tally.failed += faults.length;
  if (faults.length === 0) return true;
  clearProgress();
  console.log(`seed ${seed}\n  ${faults.join("\n  ")}\n  ${JSON.stringify(drawn)}\nagain: ${again(seed, share)}`);
  return false;
}

/** Until the time is up, or a case fails. */
async function run(): Promise<void> {
  const start = performance.now();
  const elapsed = (): number => (performance.now() - start) / 1000;
  for (let seed = first; elapsed() < seconds; seed = (seed + 1) % MOST_SEED) {
    if (!(await passes(seed))) return;
    showProgress(`${Math.floor(elapsed())} of ${seconds} s, ${tally.cases} cases`);
  }
  clearProgress();
}

await run();
const { cases, comparisons, accepted, elements, failed } = tally;
console.log(
  `${cases} cases, ${accepted} of them accepted, ${comparisons} comparisons, tensors of ${elements} elements`,
);
console.log(
  `${tally.async} cases of asynchronous calls: ${ends.done} gave results, ${ends.refused} errors; ${ends.aborted} were aborted, ` +
    `${ends.detached} lost an array, ${ends.busy} were one too many`,
);
console.log(`${comparisons - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
