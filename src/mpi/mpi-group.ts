// mpiGroup: starts MPI, and ends it with the process.
import { runtimeProcess } from "../base/environment.js";
import { describe } from "../base/check.js";
import { typeError } from "../base/errors.js";
import { readOptions } from "../base/options.js";
import { checkTimeout, DEFAULT_TIMEOUT } from "../sync/ranks.js";
import { loadMpiAddon, type MpiAddon } from "./addon.js";
import { Communicator, type MpiGroup } from "./group.js";
import { checkLauncher, keepInspectorClosed } from "./launcher.js";

/** Options of `mpiGroup`. */
export interface MpiGroupOptions {
  /**
   * How many milliseconds a rank waits for the others, in `mpiGroup` itself, in a gather that has no limit of its own, and in
   * `split`. The default is 60,000, which is a minute. Infinity means that there is no limit.
   */
  readonly timeout?: number;
  /**
   * The addon that `npx batchnorm build-mpi` built, or its folder. The default is the variable `BATCHNORM_MPI`, or else the
   * place where the command puts it without `--out`.
   */
  readonly addon?: string;
}

const watched = new WeakSet<MpiAddon>();

/**
 * Node does not run the addon's own hook where a program calls process.exit(). A rank that failed does not end MPI, which
 * would wait for the others: the launcher sees that, and ends them.
 */
function endWithProcess(addon: MpiAddon): void {
  if (watched.has(addon)) return;
  watched.add(addon);
  (runtimeProcess() as NodeJS.Process).on("exit", (code) => (code === 0 ? addon.finalize() : addon.abandon()));
}

function checkPath(value: unknown): string | undefined {
  if (value === undefined || typeof value === "string") return value;
  throw typeError("ERR_BATCHNORM_TYPE", `"addon" expected a string, got ${describe(value)}`);
}

/**
 * All ranks that MPI has started, as a group for `SyncBatchNorm`. Its gathers are `MPI_Iallgather` on a communicator of their
 * own. Every rank must call it, and make the same calls in the same order.
 *
 * ```sh
 * mpirun -n 4 node train.js
 * ```
 *
 * The first call starts MPI in this thread, and MPI ends when the process ends with exit code 0. Where it ends otherwise, the
 * launcher ends the other ranks. MPI needs an addon of its own, which `npx batchnorm build-mpi` builds. Without a launcher
 * there is one rank.
 *
 * @param options The time limit, and where the addon is.
 * @throws RangeError if the addon is not built or cannot be loaded, or if another MPI's launcher started the ranks
 * (`ERR_BATCHNORM_MPI`).
 * @throws GroupError if not all ranks come within the time limit (`ERR_BATCHNORM_GROUP`).
 */
export function mpiGroup(options?: MpiGroupOptions): MpiGroup {
  const { timeout, addon: path } = readOptions(options, ["timeout", "addon"]);
  const limit = checkTimeout(timeout, DEFAULT_TIMEOUT);
  const addon = loadMpiAddon(checkPath(path));
  const group = new Communicator(addon, addon.open(), limit);
  endWithProcess(addon);
  checkLauncher(addon, group.size);
  keepInspectorClosed(addon);
  return group.opened();
}
