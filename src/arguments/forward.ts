// The arguments of the forward calls: operands resolved, the output chosen, aliasing checked. Used by the
// layer and by the stateless functions.
import { selectBackend } from "../backends/backend.js";
import { checkBoolean, checkData, checkOneOf, checkOptionalData } from "../base/check.js";
import type { Activation } from "../values/activation.js";
import type { Resources } from "./config.js";
import { Control, type Extent } from "../kernels/control.js";
import type { Affine, ForwardArrays, Kept, Workspace } from "../engine/forward.js";
import { rangeError } from "../base/errors.js";
import { checkAliases, readOperand, type Operand, type Plan, type Tensor } from "../values/plan.js";
import { threadsFor } from "../backends/threads.js";
import type { ArrayOf, Data, DType } from "../base/types.js";
import {
  PositionWeights,
  WEIGHTS,
  readWeights,
  weightsOf,
  type MaskedOutput,
  type StatisticsWeights,
} from "../values/weights.js";

/**
 * Whether a forward leaves a token for its backward. true: it refers to x. "output": to the output instead, and x may be
 * overwritten (in-place activated batch norm, Rota Bulò et al. 2018); backward makes x̂ of it, which needs an activation
 * that can be undone (none, leaky ReLU), no residual, and no γ of 0. x̂ is as exact as (y − β)/γ is.
 */
export type Save = boolean | "output";

/** Options of one forward. */
export interface ForwardOptions<D extends DType> extends StatisticsWeights<D> {
  /** Receives the output. Exactly x is allowed where x is not saved, exactly `residual` always. */
  out?: ArrayOf<D>;
  /** Added to the normalized value, before the activation; as long as x. */
  residual?: ArrayOf<D> | Tensor<D>;
  /** Keep what backward needs. Default: yes in training, no in inference. */
  save?: Save;
  /**
   * What positions without weight give: y as everywhere (default), or 0, in which case their gradOutput counts as 0 too.
   */
  maskedOutput?: MaskedOutput;
}

/** Names of the options that `forwardArrays` reads. */
export const FORWARD = ["out", "residual", "save", "maskedOutput", ...WEIGHTS] as const;

/** Kernels of the backend asked for, and a control block for tensors of this extent. */
export function workspaceOf(
  dtype: DType,
  { outer, channels, inner }: Extent,
  isWeighted: boolean,
  { backend, threads }: Resources,
): Workspace {
  const { kernels, tune } = selectBackend({ dtype, isWeighted }, backend);
  const control = new Control(dtype, { outer, channels, inner });
  tune(control, threadsFor(threads));
  return { kernels, control, positions: new PositionWeights(dtype, outer * inner) };
}

/** A further operand: an array as long as the plan's tensor, or a tensor of its very shape. */
export function checkOperand(
  name: string,
  { data, shape }: Operand,
  plan: { dtype: DType; size: number; shape: readonly number[] },
): Data {
  if (shape && shape.join() !== plan.shape.join()) {
    throw rangeError(
      "ERR_BATCHNORM_SHAPE",
      `"${name}" expected shape [${plan.shape.join(", ")}], got [${shape.join(", ")}]`,
    );
  }
  return checkData(name, data, plan.dtype, plan.size);
}

const X_IS_SAVED = ": the saved forward needs x (save: false gives it up)";

/** The arrays of a forward; `own` gives the output where the call names none. */
export function forwardArrays(
  plan: Plan,
  x: Data,
  options: Record<string, unknown>,
  activation: Activation,
  kept: Kept | null,
  own: () => Data,
): ForwardArrays {
  const { residual: given = null } = options;
  if (kept === "output") checkUndoable(activation, given);
  const givenWeights = readWeights(options);
  const operand = given === null ? null : readOperand("residual", given);
  checkData("x", x, plan.dtype, plan.size);
  const residual = operand && checkOperand("residual", operand, plan);
  const y = checkOptionalData("out", options.out, plan.dtype, plan.size) ?? own();
  checkAliases(options.out === undefined ? "output" : "out", y, [
    { name: "x", array: x, exact: kept === "input" ? X_IS_SAVED : null },
    { name: "residual", array: residual, exact: null },
  ]);
  return { x, y, residual, activation, weights: weightsOf(plan, givenWeights) };
}

/** What a forward is asked to keep; null: nothing. */
export function readSave({ save }: Record<string, unknown>, otherwise: boolean): Kept | null {
  if (typeof save === "string") return checkOneOf("save", save, ["output"] as const);
  return (save === undefined ? otherwise : checkBoolean("save", save)) ? "input" : null;
}

function checkUndoable(activation: Activation, residual: unknown): void {
  if (residual !== null) throw rangeError("ERR_BATCHNORM_OPTION", `"save" "output" and "residual" exclude each other`);
  if (activation === "relu")
    throw rangeError("ERR_BATCHNORM_OPTION", `"save" "output" needs an activation that can be undone, got "relu"`);
}

/** x̂ = (y − β)/γ has no answer where γ is 0. */
export function checkWeights(kept: Kept | null, { weight }: Affine): void {
  if (kept !== "output" || !weight) return;
  for (let c = 0; c < weight.length; c++) {
    if (weight[c] === 0)
      throw rangeError(
        "ERR_BATCHNORM_VALUE",
        `"weight[${c}]" expected a number other than 0 with "save" "output", got 0`,
      );
  }
}
