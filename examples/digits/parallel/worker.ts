// A rank on a worker thread.
import { parentPort, workerData } from "node:worker_threads";
import { workerGroup, type SharedGroup } from "batchnorm/sync";
import type { Digits } from "../network/samples.js";
import type { Training } from "../training.js";
import { trainRank, type RankResult } from "./rank.js";

export interface RankData {
  readonly shared: SharedGroup;
  readonly rank: number;
  readonly training: Training;
  readonly digits: Digits;
}

/** What rank 0 says: so many steps done, or the end. */
export type RankMessage = { readonly step: number } | { readonly result: RankResult };

const { shared, rank, training, digits } = workerData as RankData;

function send(message: RankMessage): void {
  if (rank === 0) parentPort?.postMessage(message);
}

const group = workerGroup(shared, rank);
const every = Math.ceil(training.steps / 20);
const result = await trainRank(training, digits, group, (n) => {
  if (n % every === 0) send({ step: n });
});
send({ result });
group.close();
