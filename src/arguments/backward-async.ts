// What asynchronous calls on a token have in common: backwards, of the layer and of the functions, and parts of them.
import type { Later } from "../base/later.js";
import type { AbortSignalLike } from "../base/signal.js";
import type { Data } from "../base/types.js";
import type { BackwardArrays, ParameterGrads } from "../engine/backward.js";
import type { Workspace } from "../engine/workspace.js";
import { markFailed, markUsed, sizeOf, type Saved } from "../values/saved.js";
import { isPromised, keepAll, outputOf, withRun, type AsyncRun, type Use } from "./async.js";
import { gradientsOf, resultOf, type BackwardCall } from "./backward.js";
import { workspaceOf } from "./forward.js";
import type { Resources } from "./resources.js";

/** Makes gradInput. `isPlain`: kernels alone look at it until the call ends. */
type Make = (run: AsyncRun | null, isPlain: boolean) => Data;

/** Makes an output of the size of a token's tensors. */
export function makerFor(saved: Saved): Make {
  return (run, isPlain) => outputOf(run, saved.dtype, sizeOf(saved), isPlain);
}

/** What has a token and the arrays of its backward. */
type WithArrays = Pick<BackwardCall, "saved" | "arrays">;

/** The arrays of a backward with the outputs that were promised. */
function withOutputs({ saved, arrays }: WithArrays, run: AsyncRun | null, make: Make): BackwardArrays {
  const { dy } = arrays;
  const isPlain = !saved.virtualBatches && !saved.conditional && !saved.apartAxes;
  const dx = arrays.dx && isPromised(arrays.dx) ? make(run, isPlain) : arrays.dx;
  const dresidual = arrays.dresidual && isPromised(arrays.dresidual) ? makerFor(saved)(run, isPlain) : arrays.dresidual;
  if (run) keepAll(run, [dy, saved.x, saved.residualOrOutput], [dx, dresidual], Boolean(saved.apartAxes));
  return { dy, dx, dresidual };
}

/** The arrays that are handed out. */
async function finished(arrays: BackwardArrays, run: AsyncRun | null): Promise<BackwardArrays> {
  if (!run) return arrays;
  await run.session.finish();
  const taken = (array: Data | null): Data | null => array && run.session.taken(array);
  return { dy: arrays.dy, dx: taken(arrays.dx), dresidual: taken(arrays.dresidual) };
}

/** Makes the workspace of a token, or of a part of one. */
export type WorkspaceOfToken = (part: Saved) => Workspace;

/** What runs the tokens of a call. */
export function workspacesOf(run: AsyncRun | null, resources: Resources): WorkspaceOfToken {
  return (part) => {
    const isWeighted = part.sampleWeights !== null;
    return run ? run.workspaceFor(part, isWeighted) : workspaceOf(part.dtype, part, isWeighted, resources);
  };
}

/** What a call on a token works on. */
export function useOf(saved: Saved): Use {
  return { dtype: saved.dtype, size: sizeOf(saved), isWeighted: saved.sampleWeights !== null };
}

/** How a call on a token is run, and what becomes of it. */
export interface Running<C, R> {
  readonly resources: Resources;
  readonly signal: AbortSignalLike | null;
  readonly make: Make;
  readonly compute: (call: C, workspaceFor: WorkspaceOfToken) => Later<R>;
  readonly result: (call: C, computed: R) => unknown;
  readonly onEnd?: (run: AsyncRun | null) => void;
}

/** Makes the outputs that were promised, computes into them, and uses the token up. */
export function runWithToken<C extends WithArrays, R>(
  read: C,
  { resources, signal, make, compute, result, onEnd }: Running<C, R>,
): Promise<unknown> {
  const { saved } = read;
  return withRun(useOf(saved), resources, signal, async (run) => {
    const arrays = withOutputs(read, run, make);
    // Another backward may be asked for meanwhile.
    markUsed(saved, null);
    try {
      const computed = await compute({ ...read, arrays }, workspacesOf(run, resources));
      const done = await finished(arrays, run);
      markUsed(saved, done.dx);
      onEnd?.(run);
      return result({ ...read, arrays: done }, computed);
    } catch (error) {
      markFailed(saved, arrays.dx);
      throw error;
    }
  });
}

/** Computes the gradients of a call whose outputs were promised, and uses its token up. */
export function runBackward(
  read: BackwardCall,
  running: Omit<Running<BackwardCall, ParameterGrads>, "compute" | "result">,
): Promise<unknown> {
  return runWithToken(read, { ...running, compute: gradientsOf, result: resultOf });
}
