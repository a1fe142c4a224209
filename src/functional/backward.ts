// The stateless backward functions: the whole, and its three parts for policies that act in between.
import type { BackendRequest } from "../backends/backend.js";
import { workspaceOf } from "../arguments/forward.js";
import {
  backwardArrays,
  inputGrads,
  readBackward,
  readGrad,
  type BackwardOptions,
  type Gradients,
} from "../arguments/backward.js";
import { checkData, readOptions } from "../base/check.js";
import { readResources } from "../arguments/config.js";
import { Control } from "../kernels/control.js";
import type { Workspace } from "../engine/forward.js";
import {
  applyGrads,
  backward,
  gradCoefficientsOf,
  parameterGrads,
  sumGrads,
  type GradCoefficients,
  type GradSums,
} from "../engine/backward.js";
import type { SameForm, Tensor } from "../values/plan.js";
import { markUsed, readSaved, type Saved } from "../values/saved.js";
import { allocate, type ArrayOf, type DType } from "../base/types.js";

/** What runs a stateless backward. */
export interface BackendOptions {
  backend?: BackendRequest;
  /** Upper limit of native threads. Default: `BATCHNORM_THREADS`, else the cores this process may use. */
  threads?: number;
}

export const RESOURCES = ["backend", "threads"] as const;

function workspaceFor(saved: Saved, options: Record<string, unknown>): Workspace {
  return workspaceOf(saved.dtype, saved, saved.sampleWeights !== null, readResources(options));
}

/**
 * Gradients of a forward from the gradient of its output. With batch statistics
 * dx = γ·r·(dy − Σdy/m − x̂·Σ(dy·x̂)/m); with fixed ones dx = γ·r·dy; dγ = Σdy·x̂; dβ = Σdy.
 * With ReLU, dy counts where the output is positive or NaN. A token serves one backward.
 */
export function batchNormBackward<D extends DType, Input extends boolean = true>(
  gradOutput: ArrayOf<D>,
  saved: Saved<D>,
  options?: BackwardOptions<D, Input> & BackendOptions,
): Gradients<D, ArrayOf<D>, Input>;
export function batchNormBackward<D extends DType, T extends Tensor<D>, Input extends boolean = true>(
  gradOutput: T,
  saved: Saved<D>,
  options?: BackwardOptions<D, Input> & BackendOptions,
): Gradients<D, SameForm<T, D>, Input>;
export function batchNormBackward(gradOutput: unknown, token: Saved, given?: unknown): unknown {
  const options = readOptions(given, ["out", "residualOut", "accumulate", "need", ...RESOURCES]);
  const { saved, arrays, needed, result } = readBackward(gradOutput, token, options, allocate);
  const workspace = workspaceFor(saved, options);
  backward(workspace, saved, arrays, needed);
  markUsed(token, saved, arrays.dx);
  return result(parameterGrads(workspace.control, saved, needed));
}

/**
 * The sums over the batch that a backward needs, and the gradients of γ and β made from them.
 * Synchronized batch norm adds `sumG` and `sumGX` over all parts, in order; gradWeight and gradBias
 * stay local. The token is not used up.
 */
export function gradSums<D extends DType>(
  gradOutput: ArrayOf<D> | Tensor<D>,
  saved: Saved<D>,
  options?: BackendOptions,
): GradSums & Pick<Gradients<D>, "gradWeight" | "gradBias"> {
  const read = readOptions(options, RESOURCES);
  const call = readGrad(gradOutput, saved);
  const workspace = workspaceFor(call.saved, read);
  sumGrads(workspace, call.saved, call.dy);
  const { sumG, sumGX } = workspace.control.fields;
  return { sumG: sumG.slice(), sumGX: sumGX.slice(), ...parameterGrads<D>(workspace.control, call.saved as Saved<D>) };
}

/** Coefficients of `gradInput`, from sums over all the samples that the token's statistics were made of. */
export function coefficients(saved: Saved, sums: GradSums): GradCoefficients {
  const { sumG, sumGX } = readOptions(sums, ["sumG", "sumGX", "gradWeight", "gradBias"], "sums");
  const checked = readSaved(saved);
  return gradCoefficientsOf(new Control(checked.dtype, checked), checked, {
    sumG: checkData("sumG", sumG, "float64", checked.channels) as Float64Array,
    sumGX: checkData("sumGX", sumGX, "float64", checked.channels) as Float64Array,
  });
}

/** What `gradInput` returns. */
export type InputGradients<D extends DType, Output = ArrayOf<D>> = Pick<
  Gradients<D, Output>,
  "gradInput" | "gradResidual"
>;

/** dx = ((g − gradShift) − (x − center)·gradSlope)·gradScale, or g·gradScale with fixed statistics. Uses up the token. */
export function gradInput<D extends DType>(
  gradOutput: ArrayOf<D>,
  saved: Saved<D>,
  coefficients: GradCoefficients,
  options?: Omit<BackwardOptions<D>, "accumulate" | "need"> & BackendOptions,
): InputGradients<D>;
export function gradInput<D extends DType, T extends Tensor<D>>(
  gradOutput: T,
  saved: Saved<D>,
  coefficients: GradCoefficients,
  options?: Omit<BackwardOptions<D>, "accumulate" | "need"> & BackendOptions,
): InputGradients<D, SameForm<T, D>>;
export function gradInput(gradOutput: unknown, token: Saved, given: unknown, options?: unknown): unknown {
  const read = readOptions(options, ["out", "residualOut", ...RESOURCES]);
  const { gradShift, gradSlope, gradScale } = readOptions(
    given,
    ["gradShift", "gradSlope", "gradScale"],
    "coefficients",
  );
  const call = readGrad(gradOutput, token);
  const { saved, operand } = call;
  const table = (name: string, value: unknown): Float64Array =>
    checkData(name, value, "float64", saved.channels) as Float64Array;
  const checked = {
    gradShift: table("gradShift", gradShift),
    gradSlope: table("gradSlope", gradSlope),
    gradScale: table("gradScale", gradScale),
  };
  const arrays = backwardArrays(call, read, allocate);
  applyGrads(workspaceFor(saved, read), saved, checked, arrays);
  markUsed(token, saved, arrays.dx);
  return inputGrads(operand, arrays);
}
