// The data of a track, made once for all backends and the oracle.
import { inputsOf, type Inputs } from "../../../src/verify/case-reference.js";
import type { Tensors } from "../call-arguments.js";
import type { FuzzCase } from "../draw.js";
import type { Play } from "../recorder.js";

const made = new WeakMap<FuzzCase, Map<number, Inputs>>();

function inputsAt(one: FuzzCase, step: number): Inputs {
  const steps = made.get(one) ?? new Map<number, Inputs>();
  made.set(one, steps);
  const inputs = steps.get(step) ?? inputsOf({ ...one, index: one.index + 7919 * step });
  steps.set(step, inputs);
  return inputs;
}

/** What a forward is given, in the memory of its call; dy is held by each backward. */
export function forwardTensors({ one, memory }: Play, step: number): Tensors {
  const given = inputsAt(one, step);
  return {
    given,
    x: memory.hold(one.dtype, given.x),
    dy: given.dy,
    residual: given.residual && memory.hold(one.dtype, given.residual),
  };
}

/** The same with a dy of its own, which a backward may write to. */
export function backwardTensors({ one, memory }: Play, tensors: Tensors): Tensors {
  return { ...tensors, dy: memory.hold(one.dtype, tensors.given.dy) };
}
