/**
 * `batchnorm/mpi`: the ranks of MPI, as a group for `batchnorm/sync`. It needs an addon, which `npx batchnorm build-mpi` builds.
 *
 * ```js
 * import { mpiGroup } from "batchnorm/mpi";
 *
 * const group = mpiGroup({ timeout: 60_000 });
 * const all = group.allGather(Float64Array.of(group.rank)); // 0, 1, 2, 3 with mpirun -n 4
 * ```
 *
 * @module mpi
 */
export { mpiGroup, type MpiGroup, type MpiGroupOptions } from "../../../src/mpi.js";
