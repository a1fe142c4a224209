// What a token says, put back into the control block for a backward.
import { copyInto, zeros } from "../base/arrays.js";
import type { Data } from "../base/types.js";
import type { Control, Statistics } from "../kernels/control.js";
import { Flag } from "../kernels/layout.js";
import { setActivation } from "./activation.js";
import type { Saved } from "../values/saved.js";

/** Fills the control block with what the forward of a token used. */
export function restore(control: Control, saved: Saved, isFixed = saved.fixedStatistics): void {
  const { fields } = control;
  copyInto(fields.weight, saved.weight);
  copyInto(fields.bias, saved.bias);
  copyInto(fields.mean, saved.mean);
  copyInto(fields.invStd, saved.invStd);
  control.set("count", saved.count);
  const fixed = isFixed ? Flag.fixed : 0;
  if (saved.xIsOutput) restoreFromOutput(control, saved, fixed);
  else setActivation(control, saved.activation, fixed | (saved.holdsOutput ? Flag.holdsY : 0));
}

function restoreFromOutput(control: Control, saved: Saved, fixed: number): void {
  const { activation, bias } = saved;
  setActivation(control, activation, fixed | (activation === "none" ? 0 : Flag.holdsY | Flag.fromOutput));
  copyInto(control.fields.mean, bias);
  fillFromOutput(control.fields, saved);
}

/**
 * With z = γ·x̂ + β in the place of x: its mean is β, and with r′ = 1/γ and γ′ = γ²·r the gradients of a batch norm of z
 * are those of x: dγ = X′·r′, t = r′²·X′/count, a = γ′·r′ = γ·r. Kernels make z of y (Rota Bulò et al. 2018). Fills γ′ and
 * r′.
 */
function fillFromOutput(tables: Pick<Statistics, "weight" | "invStd">, { weight, invStd }: Saved): void {
  for (let c = 0; c < weight.length; c++) {
    tables.weight[c] = weight[c]! * weight[c]! * invStd[c]!;
    tables.invStd[c] = 1 / weight[c]!;
  }
}

/** The statistics that a backward works with: those of x, or those of z in its place. */
export function backwardStatistics(saved: Saved): Omit<Statistics, "bias"> {
  const { xIsOutput, channels, bias } = saved;
  if (!xIsOutput) return saved;
  const tables = { weight: zeros(channels), invStd: zeros(channels), mean: bias };
  fillFromOutput(tables, saved);
  return tables;
}

/** The operand that a mask needs beside x: the residual, or the output. */
export function residualOrYOf({ xIsOutput, activation, x, residualOrOutput }: Saved): Data | null {
  return xIsOutput && activation !== "none" ? x : residualOrOutput;
}
