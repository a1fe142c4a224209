// Which gradients a backward is asked for. Work for the others is left out.
import { checkBoolean } from "../base/check.js";
import { readOptions } from "../base/options.js";
import { rangeError } from "../base/errors.js";
import { slopesOf } from "./activation.js";
import type { Saved } from "./saved.js";

/**
 * The gradients that a backward computes. In the result, a gradient that is not needed is null, and `gradResidual` and
 * `gradSlope` are absent. The other gradients have the same bits as in a full backward. With running statistics, a backward sums
 * nothing if neither `gradWeight` nor `gradBias` is needed.
 */
export interface Need<Input extends boolean = boolean> {
  /** Whether to compute `gradInput`. The default is true. The first layer of a network can do without it. */
  input?: Input | undefined;
  /** Whether to compute `gradWeight`, if the forward had a `weight`. The default is true. */
  weight?: boolean | undefined;
  /** Whether to compute `gradBias`, if the forward had a `bias`. The default is true. */
  bias?: boolean | undefined;
  /** Whether to compute `gradSlope`, if the activation was a PReLU. The default is true. It takes a pass of its own. */
  slope?: boolean | undefined;
  /** Whether to compute `gradResidual`, if the forward had a residual. The default is true. */
  residual?: boolean | undefined;
}

/** A `Need` with its defaults filled in. `neededOf` sets to false what the forward did not have. */
export type Needed = Readonly<Record<keyof Need, boolean>>;

const NAMES = ["input", "weight", "bias", "slope", "residual"] as const satisfies readonly (keyof Need)[];

/** Reads `options.need`. An output array for a gradient that is not needed is an error. */
export function readNeed({ need, out, residualOut }: Record<string, unknown>): Needed {
  const given = readOptions(need, NAMES, "need");
  const flag = (name: keyof Need): boolean => {
    const { [name]: value = true } = given;
    return checkBoolean(`need.${name}`, value);
  };
  const needed = {
    input: flag("input"),
    weight: flag("weight"),
    bias: flag("bias"),
    slope: flag("slope"),
    residual: flag("residual"),
  };
  if (out !== undefined && !needed.input) throw rangeError("ERR_BATCHNORM_OPTION", `"out" needs "need.input"`);
  if (residualOut !== undefined && !needed.residual)
    throw rangeError("ERR_BATCHNORM_OPTION", `"residualOut" needs "need.residual"`);
  return needed;
}

/** Leaves out the gradients of operands that the forward did not have. */
export function neededOf(saved: Saved, { input, weight, bias, slope, residual }: Needed): Needed {
  return {
    input,
    weight: weight && saved.hasWeight,
    bias: bias && saved.hasBias,
    slope: slope && slopesOf(saved.activation) !== null,
    residual: residual && saved.hasResidual,
  };
}
