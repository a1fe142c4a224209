// `npm start -- --group NAME`: one network, trained by several ranks.
import { Worker } from "node:worker_threads";
import { sharedGroup, watchWorker } from "batchnorm/sync";
import { OptionError } from "../../../scripts/tools/command-line.js";
import { loadDigits } from "../data.js";
import type { Digits } from "../network/samples.js";
import { showProgress } from "../progress.js";
import type { Training } from "../training.js";
import type { Parallel } from "./options.js";
import { trainRank, type RankResult } from "./rank.js";
import { ranksInTurns } from "./turns.js";
import type { RankData, RankMessage } from "./worker.js";

const DEFAULT_RANKS = 4;

type OnStep = (step: number) => void;

async function inTurns(ranks: number, training: Training, digits: Digits, onStep: OnStep): Promise<RankResult> {
  const results = ranksInTurns(ranks).map((group) =>
    trainRank(training, digits, group, group.rank === 0 ? onStep : undefined),
  );
  return (await Promise.all(results))[0]!;
}

/** A thread for each rank, none of which is this one. */
async function onWorkers(ranks: number, training: Training, digits: Digits, onStep: OnStep): Promise<RankResult> {
  const shared = sharedGroup(ranks);
  const results = Array.from({ length: ranks }, (_, rank) => {
    const workerData: RankData = { shared, rank, training, digits };
    const worker = new Worker(new URL("./worker.mjs", import.meta.url), { workerData });
    watchWorker(shared, rank, worker);
    return new Promise<RankResult | null>((resolve, reject) => {
      let result: RankResult | null = null;
      worker.on("message", (message: RankMessage) => {
        if ("step" in message) onStep(message.step);
        else result = message.result;
      });
      worker.on("error", reject);
      worker.on("exit", () => resolve(result));
    });
  });
  return (await Promise.all(results))[0]!;
}

function print({ ranks, hash, accuracy, stepsPerSecond }: RankResult, { group, training, json }: Parallel): void {
  if (json) return console.log(JSON.stringify({ group, ranks, hash, accuracy, stepsPerSecond }));
  const where = { one: "in turns in one process", workers: "on worker threads", mpi: "of MPI" }[group];
  console.log(
    `${ranks} ${ranks === 1 ? "rank" : "ranks"} ${where}, ${training.steps} steps of ${training.batch} digits`,
  );
  console.log(
    `${stepsPerSecond.toFixed(1)} steps per second, ${(100 * accuracy).toFixed(1)} % of held-out digits named rightly`,
  );
  console.log(`SHA-256 of the parameters: ${hash}`);
}

/** All ranks of MPI run this program; the first one prints. */
async function onMpi(options: Parallel, digits: Digits): Promise<void> {
  // Those who do not ask for MPI need no addon.
  const { mpiGroup } = await import("batchnorm/mpi");
  const group = mpiGroup();
  if (options.ranks !== null && options.ranks !== group.size)
    throw new OptionError(
      `--ranks ${options.ranks}, but MPI has started ${group.size}: mpirun -n N npm start -- --group mpi`,
    );
  const result = await trainRank(options.training, digits, group);
  if (group.rank === 0) print(result, options);
}

export async function runParallel(options: Parallel): Promise<void> {
  const { group, training } = options;
  const digits = loadDigits(training.seed);
  if (group === "mpi") return onMpi(options, digits);
  const ranks = options.ranks ?? DEFAULT_RANKS;
  const progress = showProgress();
  const onStep = (n: number): void => progress.update(n / training.steps);
  try {
    const run = group === "one" ? inTurns : onWorkers;
    const result = await run(ranks, training, digits, onStep);
    progress.stop();
    print(result, options);
  } finally {
    progress.stop();
  }
}
