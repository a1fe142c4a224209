// What the parts of a backward do before their kernels run and after that, at once or asynchronously.
import { backwardArrays, inputGradsOf, readGrad, type GradCall, type Own } from "../arguments/backward.js";
import { RESOURCES, readResources, type Resources } from "../arguments/resources.js";
import { checkData } from "../base/check.js";
import { after, type Later } from "../base/later.js";
import { readOptions } from "../base/options.js";
import { allocateOutput } from "../base/outputs.js";
import type { Data } from "../base/types.js";
import {
  applyGrads,
  gradSumsOf,
  parameterGrads,
  slopeSumsOf,
  type BackwardArrays,
  type GradCoefficients,
  type GradSums,
  type ParameterGrads,
} from "../engine/backward.js";
import type { Workspace } from "../engine/workspace.js";
import { gradsTogether, togetherLike } from "../policies/apart-axes.js";
import { applyGradsOfSamples, gradSumsOfSamples, isConditional } from "../policies/conditional.js";
import { slopesOf } from "../values/activation.js";
import type { Saved } from "../values/saved.js";

/** The options of a call, and what runs it. */
export interface Given {
  readonly options: Record<string, unknown>;
  readonly resources: Resources;
}

/** A call of the sums of a backward that was checked. dy is in the order of the token's data. */
export interface PreparedGradSums extends Given {
  readonly saved: Saved;
  readonly dy: Data;
}

/** Checks such a call. `allowed` are the names of its options. */
export function prepareGradSums(
  gradOutput: unknown,
  token: unknown,
  given: unknown,
  allowed: readonly string[] = RESOURCES,
): PreparedGradSums {
  const options = readOptions(given, allowed);
  const { saved, dy } = readGrad(gradOutput, token);
  return { options, resources: readResources(options), saved, dy: togetherLike(saved, dy) };
}

/** Without a PReLU there is no `gradSlope`. */
type SumsResult = GradSums & Pick<ParameterGrads, "gradWeight" | "gradBias"> & Partial<ParameterGrads>;

/** Computes the sums, and the gradients of γ and β that follow from them. */
export function gradSumsResult(workspace: Workspace, { saved, dy }: PreparedGradSums): Later<SumsResult> {
  if (isConditional(saved))
    return after(gradSumsOfSamples(workspace, saved, dy), ([sums, grads]) => withGrads(sums, grads));
  const slopes = slopesOf(saved.activation) ? slopeSumsOf(workspace, saved, dy) : null;
  return after(slopes, (slopeSums) =>
    after(gradSumsOf(workspace, saved, dy), (sums) => withGrads(sums, parameterGrads(saved, sums, slopeSums))),
  );
}

function withGrads(sums: GradSums, { gradWeight, gradBias, gradSlope }: ParameterGrads): SumsResult {
  return gradSlope ? { ...sums, gradWeight, gradBias, gradSlope } : { ...sums, gradWeight, gradBias };
}

/** A call of `batchNormGradInput` that was checked. */
export interface PreparedGradInput extends Given, GradCall {
  readonly coefficients: GradCoefficients;
  readonly arrays: BackwardArrays<Data>;
}

/** The names of its options. */
export const GRAD_INPUT_OPTIONS = ["out", "residualOut", ...RESOURCES] as const;

/** Checks such a call. `own` makes the outputs that it names no arrays for. */
export function prepareGradInput(
  gradOutput: unknown,
  token: unknown,
  coefficients: unknown,
  given: unknown,
  allowed: readonly string[] = GRAD_INPUT_OPTIONS,
  own: Own<Data> = allocateOutput,
): PreparedGradInput {
  const options = readOptions(given, allowed);
  const tables = readOptions(coefficients, ["gradShift", "gradSlope", "gradScale"], "coefficients");
  const call = readGrad(gradOutput, token);
  const { saved, operand, dy } = call;
  const table = (name: keyof GradCoefficients): Float64Array =>
    checkData(name, tables[name], "float64", saved.channels) as Float64Array;
  const checked = { gradShift: table("gradShift"), gradSlope: table("gradSlope"), gradScale: table("gradScale") };
  const arrays = backwardArrays(call, options, own, saved.hasResidual, own);
  return { options, resources: readResources(options), saved, operand, dy, coefficients: checked, arrays };
}

/** Computes gradInput and gradResidual. `workspaceFor` is asked before anything is written. */
export function writeGradInput(
  { saved, coefficients, arrays }: PreparedGradInput,
  workspaceFor: (token: Saved) => Workspace,
): Later<void> {
  const workspace = workspaceFor(saved);
  return gradsTogether(saved, arrays, (own) =>
    isConditional(saved)
      ? applyGradsOfSamples(workspace, saved, coefficients, own)
      : applyGrads(workspace, saved, coefficients, own),
  );
}

export function gradInputResult({ operand, arrays }: PreparedGradInput): unknown {
  return inputGradsOf(operand, arrays);
}
