// What a token says, put back into the control block for a backward.
import type { Data } from "../base/types.js";
import { affineCoefficients } from "../kernels/coefficients.js";
import type { Control } from "../kernels/control.js";
import { Flag } from "../kernels/layout.js";
import { setActivation } from "../values/activation.js";
import type { Saved } from "../values/saved.js";

/** Fills the control block with what the forward of a token used. */
export function restore(control: Control, saved: Saved, isFixed = saved.fixedStatistics): void {
  const { fields } = control;
  fields.weight.set(saved.weight);
  fields.bias.set(saved.bias);
  fields.mean.set(saved.mean);
  fields.invStd.set(saved.invStd);
  control.set("count", saved.count);
  const fixed = isFixed ? Flag.fixed : 0;
  if (saved.xIsOutput) restoreFromOutput(control, saved, fixed);
  else setActivation(control, saved.activation, fixed | (saved.holdsOutput ? Flag.holdsY : 0));
  affineCoefficients(control);
}

/**
 * With z = γ·x̂ + β in the place of x: its mean is β, and with r′ = 1/γ and γ′ = γ²·r the gradients of a batch norm of z
 * are those of x: dγ = X′·r′, t = r′²·X′/count, a = γ′·r′ = γ·r. Kernels make z of y (Rota Bulò et al. 2018).
 */
function restoreFromOutput(control: Control, { activation, weight, bias, invStd }: Saved, fixed: number): void {
  const { fields } = control;
  setActivation(control, activation, fixed | (activation === "none" ? 0 : Flag.holdsY | Flag.fromOutput));
  fields.mean.set(bias);
  for (let c = 0; c < weight.length; c++) {
    fields.weight[c] = weight[c]! * weight[c]! * invStd[c]!;
    fields.invStd[c] = 1 / weight[c]!;
  }
}

/** The operand that a mask needs beside x: the residual, or the output. */
export function residualOrYOf({ xIsOutput, activation, x, residualOrOutput }: Saved): Data | null {
  return xIsOutput && activation !== "none" ? x : residualOrOutput;
}
