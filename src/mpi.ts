// `batchnorm/mpi`: the ranks of MPI as a group of `batchnorm/sync`.
export { mpiGroup, type MpiGroupOptions } from "./mpi/mpi-group.js";
export type { MpiGroup } from "./mpi/group.js";
export { GroupError, type BlockingGroup, type GatherOptions, type Group } from "./sync/group.js";
