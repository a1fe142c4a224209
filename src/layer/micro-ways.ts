// The two ways of a call on micro-batches: at once, or while the event loop goes on. The call itself is written once.
import { keepAll, withRun, type AsyncRun } from "../arguments/async.js";
import type { Resources } from "../arguments/resources.js";
import type { Later } from "../base/later.js";
import type { AbortSignalLike } from "../base/signal.js";
import type { Data } from "../base/types.js";
import type { WorkspaceFor } from "../policies/pieces.js";
import type { Plan } from "../values/plan.js";

/** The arrays of a micro-batch that kernels read. */
export interface Inputs {
  readonly plan: Plan;
  readonly isWeighted: boolean;
  readonly arrays: readonly (Data | null)[];
}

/** What kernels run on. `run` is null on the calling thread. */
type Work<T> = (workspaceFor: WorkspaceFor, run: AsyncRun | null) => Later<T>;

export interface Way {
  /** Goes on with what a function of the caller returned, or with what it promised. */
  readonly with: <R>(value: unknown, next: (value: unknown) => Later<R>) => Later<R>;
  /** Does the work on one micro-batch. */
  readonly work: <T>(inputs: Inputs, work: Work<T>) => Later<T>;
}

/** The way of a synchronous call. A promise is a value as any other: it is refused where an array is expected. */
export function atOnce(workspaceFor: WorkspaceFor): Way {
  return {
    with: (value, next) => next(value),
    work: (_, work) => work(workspaceFor, null),
  };
}

/** The way of an asynchronous call. The memory of a micro-batch is given back before the next one is read. */
export function inTurns(workspaceFor: WorkspaceFor, resources: Resources, signal: AbortSignalLike | null): Way {
  return {
    with: (value, next) => Promise.resolve(value).then(next),
    work: ({ plan: { dtype, size }, isWeighted, arrays }, work) =>
      withRun({ dtype, size, isWeighted }, resources, signal, async (run) => {
        if (run) keepAll(run, arrays, []);
        return await work(run ? run.workspaceFor : workspaceFor, run);
      }),
  };
}
