/**
 * `batchnorm/sync`: batch normalization of one batch over worker threads, processes and machines.
 *
 * ```js
 * import { SyncBatchNorm, workerGroup } from "batchnorm/sync";
 *
 * const group = workerGroup(workerData.shared, workerData.rank);
 * const bn = new SyncBatchNorm(64, { group });
 * const y = bn.forward(x, [8, 64, 56, 56]); // the part of this rank
 * ```
 *
 * @module sync
 */
export * from "../../../src/sync.js";
