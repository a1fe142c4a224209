// The backward of asynchronous calls, of the layer and of the functions.
import type { AbortSignalLike } from "../base/signal.js";
import type { Data } from "../base/types.js";
import { markFailed, markUsed, sizeOf, type Saved } from "../values/saved.js";
import { isPromised, keepAll, outputOf, withRun, type AsyncRun } from "./async.js";
import { gradientsOf, resultOf, type BackwardCall } from "./backward.js";
import { workspaceOf } from "./forward.js";
import type { Resources } from "./resources.js";

/** Makes gradInput. `isPlain`: kernels alone look at it until the call ends. */
type Make = (run: AsyncRun | null, isPlain: boolean) => Data;

/** A backward with the outputs that were promised. */
function withOutputs(call: BackwardCall, run: AsyncRun | null, make: Make): BackwardCall {
  const { saved, arrays } = call;
  const { dy } = arrays;
  const isPlain = !saved.virtualBatches && !saved.conditional && !saved.apartAxes;
  const dx = arrays.dx && isPromised(arrays.dx) ? make(run, isPlain) : arrays.dx;
  const ofResidual = (): Data => outputOf(run, saved.dtype, sizeOf(saved), isPlain);
  const dresidual = arrays.dresidual && isPromised(arrays.dresidual) ? ofResidual() : arrays.dresidual;
  run?.note(dy, saved.x, saved.residualOrOutput, arrays.dx, arrays.dresidual);
  if (run && !saved.apartAxes) keepAll(run, [dy, saved.x, saved.residualOrOutput], [dx, dresidual]);
  return { ...call, arrays: { dy, dx, dresidual } };
}

/** The call with the arrays that are handed out. */
async function finished(call: BackwardCall, run: AsyncRun | null): Promise<BackwardCall> {
  if (!run) return call;
  await run.session.finish();
  const { dy, dx, dresidual } = call.arrays;
  const taken = (array: Data | null): Data | null => array && run.session.taken(array);
  return { ...call, arrays: { dy, dx: taken(dx), dresidual: taken(dresidual) } };
}

/** Computes the gradients of a call whose outputs were promised, and uses its token up. */
export function runBackward(
  read: BackwardCall,
  resources: Resources,
  signal: AbortSignalLike | null,
  make: Make,
  onEnd: (run: AsyncRun | null) => void = () => undefined,
): Promise<unknown> {
  const { saved } = read;
  const isWeighted = saved.sampleWeights !== null;
  return withRun({ dtype: saved.dtype, size: sizeOf(saved), isWeighted }, resources, signal, async (run) => {
    const call = withOutputs(read, run, make);
    const workspaceFor = (part: Saved): ReturnType<typeof workspaceOf> =>
      run
        ? run.workspaceFor(part, part.sampleWeights !== null)
        : workspaceOf(part.dtype, part, part.sampleWeights !== null, resources);
    // Another backward may be asked for meanwhile.
    markUsed(saved, null);
    try {
      const grads = await gradientsOf(call, workspaceFor);
      const done = await finished(call, run);
      markUsed(saved, done.arrays.dx);
      onEnd(run);
      return resultOf(done, grads);
    } catch (error) {
      markFailed(saved, call.arrays.dx);
      throw error;
    }
  });
}
