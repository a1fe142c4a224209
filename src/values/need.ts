// Which gradients a backward is asked for; the rest of its work is left out.
import { checkBoolean, readOptions } from "../base/check.js";
import { rangeError } from "../base/errors.js";
import type { Saved } from "./saved.js";

/** Gradients that a backward is to compute. Each defaults to true; one of something the forward lacked stays out. */
export interface Need<Input extends boolean = boolean> {
  /** gradInput. Without it a backward reads its tensors and writes none, but for gradResidual. */
  input?: Input;
  /** gradWeight. With fixed statistics and neither parameter's gradient, nothing is summed. */
  weight?: boolean;
  /** gradBias. */
  bias?: boolean;
  /** gradResidual. */
  residual?: boolean;
}

/** A `Need` with its defaults, as yet of no forward; then of one, false where that has no such operand. */
export type Needed = Readonly<Required<Need>>;

const NAMES = ["input", "weight", "bias", "residual"] as const satisfies readonly (keyof Need)[];

/** Reads `options.need`, and that no output is given for what is not needed. */
export function readNeed({ need, out, residualOut }: Record<string, unknown>): Needed {
  const given = readOptions(need, NAMES, "need");
  const flag = (name: keyof Need): boolean => {
    const { [name]: value = true } = given;
    return checkBoolean(`need.${name}`, value);
  };
  const needed = { input: flag("input"), weight: flag("weight"), bias: flag("bias"), residual: flag("residual") };
  if (out !== undefined && !needed.input) throw rangeError("ERR_BATCHNORM_OPTION", `"out" needs "need.input"`);
  if (residualOut !== undefined && !needed.residual)
    throw rangeError("ERR_BATCHNORM_OPTION", `"residualOut" needs "need.residual"`);
  return needed;
}

/** What is needed of the operands that the forward had. */
export function neededOf(saved: Saved, { input, weight, bias, residual }: Needed): Needed {
  return {
    input,
    weight: weight && saved.hasWeight,
    bias: bias && saved.hasBias,
    residual: residual && saved.hasResidual,
  };
}
