// What a launcher says of the ranks that it started. Under the launcher of another MPI, every rank believes that it is
// alone: each would train by itself, and nobody would notice.
import { runtimeProcess } from "../base/environment.js";
import { rangeError } from "../base/errors.js";
import type { MpiAddon } from "./addon.js";

/** The number of ranks, by the launcher that sets the variable. */
const SIZES: readonly (readonly [variable: string, launcher: string])[] = [
  ["OMPI_COMM_WORLD_SIZE", "mpirun of Open MPI"],
  ["PMI_SIZE", "mpirun of MPICH"],
  ["SLURM_STEP_NUM_TASKS", "srun of Slurm"],
];

/** @throws RangeError ERR_BATCHNORM_MPI if MPI knows of one rank, and several were started */
export function checkLauncher(addon: MpiAddon, size: number): void {
  if (size > 1) return;
  const env = runtimeProcess()?.env ?? {};
  const found = SIZES.find(([variable]) => Number(env[variable]) > 1);
  if (found === undefined) return;
  const [variable, launcher] = found;
  const advice =
    `Use the launcher of the MPI that the addon was built for, or build it again. With MPICH, add -pmi-port to mpirun ` +
    `where npm or another program starts Node`;
  throw rangeError(
    "ERR_BATCHNORM_MPI",
    `${launcher} started ${env[variable]} ranks, but ${addon.builtFor} sees only this one. ${advice}`,
  );
}

/**
 * The launcher of MPICH tells ranks by SIGUSR1 that one of them has ended, if it goes on at all. Node opens its inspector
 * on this signal, unless somebody listens.
 */
export function keepInspectorClosed(addon: MpiAddon): void {
  const process = runtimeProcess() as NodeJS.Process;
  if (addon.builtFor.startsWith("MPICH") && process.listenerCount("SIGUSR1") === 0)
    process.on("SIGUSR1", () => undefined);
}
