// The arguments of the forward calls: operands resolved, the output chosen, aliasing checked. Used by the
// layer and by the stateless functions.
import { selectBackend } from "./backend.js";
import { checkBoolean, checkData, checkOptionalData } from "./check.js";
import type { Activation, Resources } from "./config.js";
import { Control, type Extent } from "./control.js";
import type { ForwardArrays, Workspace } from "./engine.js";
import { rangeError } from "./errors.js";
import { checkAliases, readOperand, type Operand, type Plan, type Tensor } from "./plan.js";
import { threadsFor } from "./threads.js";
import type { ArrayOf, Data, DType } from "./types.js";
import { WEIGHTS, readWeights, weightsOf, type MaskedOutput, type StatisticsWeights } from "./weights.js";

/** Options of one forward. */
export interface ForwardOptions<D extends DType> extends StatisticsWeights<D> {
  /** Receives the output. Exactly x is allowed where nothing is saved, exactly `residual` always. */
  out?: ArrayOf<D>;
  /** Added to the normalized value, before the activation; as long as x. */
  residual?: ArrayOf<D> | Tensor<D>;
  /** Keep what backward needs. Default: yes in training, no in inference. */
  save?: boolean;
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
  { backend, threads }: Resources,
): Workspace {
  const { kernels, tune } = selectBackend(backend);
  const control = new Control(dtype, { outer, channels, inner });
  tune(control, threadsFor(threads));
  return { kernels, control };
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

/** The arrays of a forward; `own` gives the output where the call names none. */
export function forwardArrays(
  plan: Plan,
  x: Data,
  options: Record<string, unknown>,
  activation: Activation,
  save: boolean,
  own: () => Data,
): ForwardArrays {
  const { residual: given = null } = options;
  const givenWeights = readWeights(options);
  const operand = given === null ? null : readOperand("residual", given);
  checkData("x", x, plan.dtype, plan.size);
  const residual = operand && checkOperand("residual", operand, plan);
  const y = checkOptionalData("out", options.out, plan.dtype, plan.size) ?? own();
  checkAliases(options.out === undefined ? "output" : "out", y, [
    { name: "x", array: x, exact: save ? ": the saved forward needs x (save: false gives it up)" : null },
    { name: "residual", array: residual, exact: null },
  ]);
  return { x, y, residual, activation, weights: weightsOf(plan, givenWeights) };
}

export function readSave(options: Record<string, unknown>, otherwise: boolean): boolean {
  return options.save === undefined ? otherwise : checkBoolean("save", options.save);
}
