// warmUp: what the first large call would otherwise begin.
import { RESOURCES, readResources } from "../arguments/resources.js";
import { ORDINARY, selectBackend } from "../backends/backend.js";
import type { BackendName } from "../backends/candidates.js";
import { threadsFor } from "../backends/threads.js";
import { beginCallWorker, endCallWorkers } from "../backends/wasm/off-thread.js";
import { areSharesRight } from "../backends/wasm/sharing.js";
import { currentTeam, endTeam } from "../backends/wasm/threads.js";
import { loadedModule } from "../backends/wasm/wasm.js";
import { readOptions } from "../base/options.js";
import type { BackendOptions } from "./backward.js";

/** What `warmUp` has made ready. */
export interface WarmedUp {
  /** The backend that was loaded and checked. */
  readonly backend: BackendName;
  /** The number of threads that a large call can have now. On WebAssembly it needs a shared arena for several. */
  readonly threads: number;
  /** Ends the workers of WebAssembly that this thread has. A later large call begins new ones. */
  dispose(): void;
  /** Does the same as `dispose()`, for `using`. */
  [Symbol.dispose](): void;
}

class Warmth implements WarmedUp {
  declare [Symbol.dispose]: () => void;

  constructor(
    readonly backend: BackendName,
    readonly threads: number,
  ) {}

  dispose(): void {
    if (this.backend !== "wasm") return;
    endTeam();
    endCallWorkers();
  }
}

// Engines that lack the symbol do not have `using` either.
if (typeof Symbol.dispose === "symbol") {
  Warmth.prototype[Symbol.dispose] = function () {
    this.dispose();
  };
}

/**
 * Loads and checks the backend, and on WebAssembly begins its workers and waits until they are there: those of shared arenas,
 * and one of asynchronous calls. Without it the first large call in a shared arena begins them and runs on one thread. A page
 * needs a turn of its event loop for that.
 *
 * Workers do not keep a process alive. They end 30 s after their last call.
 *
 * @example
 * ```ts
 * const { threads } = await warmUp();
 * const arena = createArena(256 << 20, { shared: true });
 * ```
 *
 * @param options The backend and the number of threads.
 * @returns The backend, and how many threads it has. If there is one because workers are refused, `backends()` says why.
 * @throws TypeError if an option is unknown or has the wrong kind (`ERR_BATCHNORM_OPTION`, `ERR_BATCHNORM_TYPE`). This and
 * what follows reject the promise.
 * @throws RangeError if `threads` is no positive integer (`ERR_BATCHNORM_VALUE`).
 * @throws BackendUnavailableError if the backend that is asked for cannot be used.
 */
export async function warmUp(options: BackendOptions = {}): Promise<WarmedUp> {
  const { backend, threads: asked } = readResources(readOptions(options, RESOURCES));
  const { name } = selectBackend(ORDINARY, backend);
  if (name === "oracle") return new Warmth(name, 1);
  const wanted = threadsFor(asked);
  if (name !== "wasm") return new Warmth(name, wanted);
  const team = currentTeam();
  team?.begin(wanted);
  await Promise.all([team?.begun(), beginCallWorker(loadedModule().module)]);
  const threads = Math.min(wanted, team?.threads ?? 1);
  return new Warmth(name, threads > 1 && areSharesRight(ORDINARY.dtype, ORDINARY.isWeighted) ? threads : 1);
}
