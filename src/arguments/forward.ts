// The arguments of the forward calls. All are read first, then they are checked, then the output is chosen. The layer
// and the stateless functions use this file.
import { selectBackend } from "../backends/backend.js";
import { checkBoolean, checkData, checkOneOf, checkOptionalData, lengthOf, tagOf } from "../base/check.js";
import { canBeUndone, nameOfActivation, showsInOutput, type CheckedActivation } from "../values/activation.js";
import { checkSlopes } from "../values/read-activation.js";
import type { Resources } from "./resources.js";
import type { Extent } from "../kernels/control.js";
import type { ForwardArrays, Kept, Parameters } from "../engine/forward.js";
import type { GivenTables } from "../values/sample-tables.js";
import { Workspace } from "../engine/workspace.js";
import { rangeError } from "../base/errors.js";
import { checkAlias, checkApart, type Tables } from "../values/aliases.js";
import { readCall, readOperand, type Operand, type Plan, type Tensor } from "../values/plan.js";
import { threadsAskedFor } from "../backends/threads.js";
import type { ArrayOf, Data, DType } from "../base/types.js";
import {
  WEIGHTS,
  readWeights,
  weightsOf,
  type GivenWeights,
  type MaskedOutput,
  type StatisticsWeights,
} from "../values/weights.js";

/**
 * Whether a forward leaves a token for its backward, and which array the token refers to.
 *
 * - `true`: the token refers to x, which must not change before the backward.
 * - `false`: there is no token.
 * - `"output"`: the token refers to the output, and x may be overwritten. This halves the memory (in-place activated
 *   batch norm, Rota Bulò et al. 2018). The backward recovers the normalized values from the output as (y − β)/γ, and
 *   its gradients are as exact as that is. It excludes a residual, every activation but leaky ReLU
 *   (`ERR_BATCHNORM_OPTION`), and a γ that has a 0 (`ERR_BATCHNORM_VALUE`).
 */
export type Save = boolean | "output";

/** The option `save`, whose type says whether a result has a token. */
export interface Saves<S extends Save> {
  /** Whether to leave a token for the backward. */
  save?: S | undefined;
}

/** The options of one forward. */
export type ForwardOptions<D extends DType> = ForwardFields<D> & ResidualOptions<D>;

/** The options of one forward that exclude no other. */
export interface ForwardFields<D extends DType> extends StatisticsWeights<D> {
  /**
   * The array that receives the output. It may be x itself if x is not saved. It may be `residual` itself if nothing is
   * saved, or without activation, or with ReLU or leaky ReLU. Any other shared memory throws `ERR_BATCHNORM_ALIAS`. By
   * default the output is a new array.
   */
  out?: ArrayOf<D> | undefined;
  /** What the output is where the weight is 0. The default is `"normalize"`. */
  maskedOutput?: MaskedOutput | undefined;
}

/** A residual, and what is saved for the backward: a residual and `save: "output"` exclude each other. */
export type ResidualOptions<D extends DType> =
  | {
      /** A tensor that is added to the normalized value, before the activation. It has the shape of x. */
      residual?: ArrayOf<D> | Tensor<D> | undefined;
      /** Whether to leave a token for the backward. By default it is true in training and false in inference. */
      save?: boolean | undefined;
    }
  | {
      /** It excludes `save: "output"`. */
      residual?: undefined;
      /** Whether to leave a token for the backward. By default it is true in training and false in inference. */
      save?: Save | undefined;
    };

/** The names of the options that a forward reads. */
export const FORWARD_OPTIONS = ["out", "residual", "save", "maskedOutput", ...WEIGHTS] as const;

/**
 * The kernels of the backend that was asked for, and what carries their calls on tensors of this extent, which may be a part
 * of `whole` elements.
 */
export function workspaceOf(
  dtype: DType,
  { outer, channels, inner }: Extent,
  isWeighted: boolean,
  { backend, threads }: Resources,
  whole?: number,
): Workspace {
  const { kernels, tune } = selectBackend({ dtype, isWeighted }, backend);
  const asked = threadsAskedFor(threads);
  const extent = { outer, channels, inner };
  return new Workspace(kernels, dtype, extent, isWeighted, (control) => tune(control, asked), whole);
}

/** Checks a further operand: it is an array as long as the plan's tensor, or a tensor of the same shape. */
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

/** The arguments of a forward as they were given. Each was read once. */
export interface GivenForward {
  readonly x: Operand;
  readonly shape: readonly number[];
  readonly options: Record<string, unknown>;
  readonly residual: Operand | null;
  readonly weights: GivenWeights;
}

/** Reads `(x, shape, options?)` or `(tensor, options?)`. All getters of the caller run here, before any check. */
export function readForward(
  args: readonly unknown[],
  allowed: readonly string[],
  earlier: readonly number[] | null = null,
): GivenForward {
  const { x, shape, options } = readCall(args, allowed, earlier);
  const { residual = null } = options;
  const operand = residual === null ? null : readOperand("residual", residual);
  const size = tagOf(x.data) === undefined ? 0 : lengthOf(x.data);
  return { x, shape, options, residual: operand, weights: readWeights(options, size) };
}

/** What a forward needs besides its arguments. */
interface ForwardSetting {
  readonly activation: CheckedActivation;
  readonly parameters: Parameters;
  readonly conditional: GivenTables | null;
  /** Whether it saves a token if the call does not say so. */
  readonly saves: boolean;
  /** The arrays of the layer or of the call with one element per channel, which an output must not overwrite. */
  readonly tables: () => Tables;
  /** Makes the output if the call names none. */
  readonly own: () => Data;
}

const X_IS_SAVED = ": the saved forward needs x (save: false gives it up)";
const RESIDUAL_IS_SAVED = ": the backward of this activation needs the residual (save: false gives it up)";

/** Checks the arguments of a forward and chooses its output. No code of the caller runs here. */
export function checkForward(plan: Plan, given: GivenForward, setting: ForwardSetting): ForwardArrays {
  const { options } = given;
  const { activation, parameters, conditional } = setting;
  const kept = readSave(options, setting.saves);
  if (kept === "output") checkUndoable(activation, given.residual, parameters, conditional);
  const x = checkData("x", given.x.data, plan.dtype, plan.size);
  const residual = given.residual && checkOperand("residual", given.residual, plan);
  const out = checkOptionalData("out", options.out, plan.dtype, plan.size);
  const weights = weightsOf(plan, given.weights);
  const slopes = checkSlopes("activation.slope", activation, plan.channels, plan.dtype);
  const y = out ?? setting.own();
  const name = out ? "out" : "output";
  checkAlias(name, y, "x", x, kept === "input" ? X_IS_SAVED : null);
  checkAlias(name, y, "residual", residual, kept && !showsInOutput(activation) ? RESIDUAL_IS_SAVED : null);
  if (out) checkApart(name, y, setting.tables());
  if (out && conditional) checkApart(name, y, { weight: conditional.weight, bias: conditional.bias });
  if (out && slopes) checkApart(name, y, { "activation.slope": slopes });
  return { plan, x, y, residual, activation, parameters, weights, renorm: null, conditional, kept };
}

/** What a forward is asked to keep. null means nothing. */
function readSave({ save }: Record<string, unknown>, otherwise: boolean): Kept | null {
  if (typeof save === "string") return checkOneOf("save", save, ["output"] as const);
  return (save === undefined ? otherwise : checkBoolean("save", save)) ? "input" : null;
}

/** Checks that x̂ can be recovered from the output. (y − β)/γ has no answer where γ is 0. */
function checkUndoable(
  activation: CheckedActivation,
  residual: Operand | null,
  { weight }: Parameters,
  conditional: GivenTables | null,
): void {
  if (conditional) {
    const name = conditional.weight ? "weight" : "bias";
    throw rangeError("ERR_BATCHNORM_OPTION", `"save" "output" and a "${name}" for each sample exclude each other`);
  }
  if (residual !== null) throw rangeError("ERR_BATCHNORM_OPTION", `"save" "output" and "residual" exclude each other`);
  if (!canBeUndone(activation)) {
    const got = nameOfActivation(activation);
    throw rangeError("ERR_BATCHNORM_OPTION", `"save" "output" needs an activation that can be undone, got "${got}"`);
  }
  // By a loop: the array may have methods of the caller's.
  const channels = weight ? lengthOf(weight) : 0;
  for (let c = 0; weight && c < channels; c++) {
    if (weight[c] === 0)
      throw rangeError(
        "ERR_BATCHNORM_VALUE",
        `"weight[${c}]" expected a number other than 0 with "save" "output", got 0`,
      );
  }
}
