// The stateless double backward: for losses made of gradients, such as gradient penalties.
import { checkOperand, workspaceOf } from "../arguments/forward.js";
import { readGrad } from "../arguments/backward.js";
import { checkOptionalData, lengthOf, readOptions } from "../base/check.js";
import { readResources } from "../arguments/config.js";
import { doubleBackward, type DoubleBackwardArrays } from "../engine/double-backward.js";
import { rangeError } from "../base/errors.js";
import { RESOURCES, type BackendOptions } from "./backward.js";
import { asGiven, readOperand, type Operand, type SameForm, type Tensor } from "../values/plan.js";
import type { Saved } from "../values/saved.js";
import { allocate, floatTypeOf, type ArrayOf, type DType, type Floats, type ParametersOf } from "../base/types.js";

/** Gradients of a loss with respect to the results of a backward. Absent or null ones count as 0 and cost nothing. */
export interface GradGradients<D extends DType> {
  /** Of gradInput; as long as x. */
  gradGradInput?: ArrayOf<D> | Tensor<D> | null;
  /** Of gradWeight and gradBias, one element a channel. */
  gradGradWeight?: ParametersOf<D> | null;
  gradGradBias?: ParametersOf<D> | null;
  /** Of gradResidual; as long as x. */
  gradGradResidual?: ArrayOf<D> | Tensor<D> | null;
}

/** The result of a double backward. The gradients to β and to the residual are 0. */
export interface DoubleGradients<D extends DType, Output = ArrayOf<D>> {
  /** To x. */
  readonly gradInput: Output;
  /** To γ; null where the forward had none. */
  readonly gradWeight: ParametersOf<D> | null;
  /** To the gradOutput that the backward was given. */
  readonly gradGradOutput: Output;
}

type Name = keyof GradGradients<DType>;
const NAMES = [
  "gradGradInput",
  "gradGradWeight",
  "gradGradBias",
  "gradGradResidual",
] as const satisfies readonly Name[];

/** The gradients given, each read once, without those that are null. */
function readGiven(value: unknown): Partial<Record<Name, unknown>> {
  const given = readOptions(value, NAMES, "gradients");
  return Object.fromEntries(Object.entries(given).filter(([, gradient]) => gradient !== null));
}

/** A gradient can only be given of what the backward computed. */
function checkPresent(given: Partial<Record<Name, unknown>>, { hasWeight, hasBias, hasResidual }: Saved): void {
  const needs: readonly (readonly [Name, boolean, string])[] = [
    ["gradGradWeight", hasWeight, "weight"],
    ["gradGradBias", hasBias, "bias"],
    ["gradGradResidual", hasResidual, "residual"],
  ];
  for (const [name, present, what] of needs) {
    if (name in given && !present) throw rangeError("ERR_BATCHNORM_OPTION", `"${name}" needs a forward with a ${what}`);
  }
}

/** A token whose statistics are of more samples than its own: sums over all of them would be needed. */
function checkWhole({ frozen, count, outer, inner, xIsOutput, sampleWeights }: Saved): void {
  if (xIsOutput) throw rangeError("ERR_BATCHNORM_SAVED", `"saved" expected a forward that saved its x, not its output`);
  if (sampleWeights) throw rangeError("ERR_BATCHNORM_SAVED", `"saved" expected a forward without mask and weights`);
  if (!frozen && count !== outer * inner)
    throw rangeError(
      "ERR_BATCHNORM_SAVED",
      `"saved" expected statistics of its own ${outer * inner} values per channel, got those of ${count}`,
    );
}

/** One element a channel, in float64. */
function tableOf(data: Floats | null): Float64Array | null {
  if (!data) return null;
  const table = new Float64Array(lengthOf(data));
  table.set(data);
  return table;
}

/**
 * Gradients of a loss L that was computed from the results of a backward: given ∂L/∂gradInput, ∂L/∂gradWeight and
 * ∂L/∂gradBias, those with respect to what that backward was made of. In closed form, with x̃ = x − μ, g the masked
 * gradOutput, sums over the m values of a channel, and a, w, b for the three given:
 *
 *     F(g, γ) = γ·r·(g − Σg/m − x̃·r²·Σ(g·x̃)/m), the first backward
 *     A = Σa·Σg/m − Σ(a·g) + 3·r²·Σ(g·x̃)·Σ(a·x̃)/m
 *     gradInput = γ·r³/m·(x̃·A + Σ(a·x̃)·(Σg/m − g) + Σ(g·x̃)·(Σa/m − a)) + w·F(g, 1)
 *     gradWeight = Σ a·F(g, 1)
 *     gradGradOutput = F(a, γ) + w·x̃·r + b
 *
 * With fixed statistics: w·r·g, Σ a·r·g, γ·r·a + w·x̃·r + b. With ReLU gradGradOutput is 0 where the output is ≤ 0; a
 * gradient to gradResidual is added before.
 *
 * No division by γ: γ = 0 is exact. Equal bits on every backend. Every element is a sum of the terms above, rounded in
 * the data's type: off by some units in the last place of their magnitudes together (10 measured), not of what is left
 * of them. Scales do not matter, but float32 loses products of a and x̃ below 10⁻³⁸.
 *
 * The token is not used up, and may have been by the backward itself: before it, after it or in its place, as often as
 * wanted. `gradOutput` is that backward's, unchanged; a backward whose `out` was x leaves nothing to differentiate.
 *
 * @throws RangeError for a token of merged moments: sums over all parts would be needed; for one that saved its output, or had
 * a mask or weights.
 */
export function batchNormDoubleBackward<D extends DType>(
  saved: Saved<D>,
  gradOutput: ArrayOf<D>,
  gradients: GradGradients<D>,
  options?: BackendOptions,
): DoubleGradients<D>;
export function batchNormDoubleBackward<D extends DType, T extends Tensor<D>>(
  saved: Saved<D>,
  gradOutput: T,
  gradients: GradGradients<D>,
  options?: BackendOptions,
): DoubleGradients<D, SameForm<T, D>>;
export function batchNormDoubleBackward(
  token: Saved,
  gradOutput: unknown,
  gradients: unknown,
  options?: unknown,
): unknown {
  const read = readOptions(options, RESOURCES);
  const given = readGiven(gradients);
  const operand = (name: Name): Operand | null => (name in given ? readOperand(name, given[name]) : null);
  const input = operand("gradGradInput");
  const residual = operand("gradGradResidual");
  const { saved, size, dy, operand: form } = readGrad(gradOutput, token, { again: true });
  checkWhole(saved);
  checkPresent(given, saved);
  const { dtype, channels } = saved;
  const type = floatTypeOf(dtype);
  const plan = { dtype, size, shape: saved.shape };
  const arrays: DoubleBackwardArrays = {
    dy,
    ddx: input && checkOperand("gradGradInput", input, plan),
    ddresidual: residual && checkOperand("gradGradResidual", residual, plan),
    ddweight: tableOf(checkOptionalData("gradGradWeight", given.gradGradWeight, type, channels)),
    ddbias: tableOf(checkOptionalData("gradGradBias", given.gradGradBias, type, channels)),
    dx: allocate(dtype, size),
    ddy: allocate(dtype, size),
  };
  const gradWeight = doubleBackward(workspaceOf(dtype, saved, false, readResources(read)), saved, arrays);
  return {
    gradInput: asGiven(form, arrays.dx),
    gradWeight: saved.hasWeight ? allocate(type, channels).map((_, c) => gradWeight[c]!) : null,
    gradGradOutput: asGiven(form, arrays.ddy),
  };
}
