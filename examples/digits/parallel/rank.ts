// What one rank does, whatever carries its arrays: the same training as all others, on its part of every mini-batch.
import { gatherAsync, SyncBatchNorm, type Group } from "batchnorm/sync";
import { hash } from "../hash.js";
import { evaluate } from "../network/evaluate.js";
import { batches, first, type Digits } from "../network/samples.js";
import { settings } from "../settings.js";
import { build, type Training } from "../training.js";
import { step } from "./step.js";

export interface RankResult {
  readonly ranks: number;
  /** The hash of the parameters, which is that of all ranks. */
  readonly hash: string;
  /** Of held-out digits. */
  readonly accuracy: number;
  readonly stepsPerSecond: number;
}

/** Steps before the clock starts: code is compiled in them. */
const WARM_UP = 0.1;

/** @throws Error if the parameters of the ranks differ in a bit */
async function checkAlike(own: string, group: Group): Promise<void> {
  const start = Float64Array.of(Number.parseInt(own.slice(0, 12), 16));
  const all = await gatherAsync(group, start, { name: "hashes" });
  const other = all.findIndex(([value]) => value !== start[0]);
  if (other >= 0) throw new Error(`the parameters of rank ${other} differ from those of rank ${group.rank}`);
}

export async function trainRank(
  training: Training,
  digits: Digits,
  group: Group,
  onStep: (step: number) => void = () => {},
): Promise<RankResult> {
  const { steps, batch, rate, seed } = training;
  if (batch < group.size)
    throw new RangeError(`${group.size} ranks need mini-batches of at least ${group.size} digits`);
  const network = build(training, {}, (units, options) => new SyncBatchNorm(units, { ...options, group }));
  const source = batches(first(digits.training, training.digits), batch, seed);
  const from = Math.floor(WARM_UP * steps);
  let start = performance.now();
  for (let n = 1; n <= steps; n++) {
    await step(network, source.next().value, rate, group);
    if (n === from) start = performance.now();
    onStep(n);
  }
  const stepsPerSecond = (1000 * (steps - from)) / (performance.now() - start);
  const own = hash(network);
  await checkAlike(own, group);
  const { accuracy } = evaluate(network, first(digits.heldOut, settings.heldOut));
  return { ranks: group.size, hash: own, accuracy, stepsPerSecond };
}
