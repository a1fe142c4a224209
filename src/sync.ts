// Batch normalization of one batch over worker threads, processes and machines.
export { SyncBatchNorm, convertSyncBatchNorm } from "./sync/sync-batch-norm.js";
export type { SyncBatchNormOptions, SyncOptions } from "./sync/options.js";
export { GroupError, type BlockingGroup, type GatherOptions, type Group } from "./sync/group.js";
export { gather, gatherAsync, type GatherCallOptions } from "./sync/gather.js";
export { singleGroup } from "./sync/single-group.js";
export {
  endRank,
  sharedGroup,
  watchWorker,
  type NodeWorker,
  type PageWorker,
  type SharedGroup,
  type SharedGroupOptions,
} from "./sync/workers/shared.js";
export { workerGroup, type WorkerGroup, type WorkerGroupOptions } from "./sync/workers/worker-group.js";
export { processGroup, type ProcessGroup, type ProcessGroupOptions } from "./sync/processes/process-group.js";
export { processHub, type ProcessHub } from "./sync/processes/hub.js";
