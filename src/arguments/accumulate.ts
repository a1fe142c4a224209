// The option `accumulate` of a backward: parameter gradients of an earlier one, which its own are added to.
import { checkOptionalData, readOptions } from "../base/check.js";
import type { BackwardArrays } from "../engine/backward.js";
import type { Needed } from "../values/need.js";
import { checkAliases } from "../values/plan.js";
import type { Saved } from "../values/saved.js";
import { floatTypeOf, type Floats } from "../base/types.js";

export interface ParameterGrads {
  readonly gradWeight: Floats | null;
  readonly gradBias: Floats | null;
}

/** The fields of an earlier result, each read once. */
export function readEarlier(value: unknown): Record<string, unknown> {
  return readOptions(value, ["gradInput", "gradWeight", "gradBias", "gradResidual"], "accumulate");
}

/** The arrays to add to, of the gradients that are needed. */
export function checkEarlier(
  earlier: Record<string, unknown>,
  { dtype, channels }: Saved,
  { weight, bias }: Needed,
): ParameterGrads {
  const target = (name: keyof ParameterGrads): Floats | null =>
    checkOptionalData(`accumulate.${name}`, earlier[name], floatTypeOf(dtype), channels);
  return { gradWeight: weight ? target("gradWeight") : null, gradBias: bias ? target("gradBias") : null };
}

/** They are added to after the kernels have run: nothing else may be written there. */
export function checkSeparate({ gradWeight, gradBias }: ParameterGrads, { dx, dresidual }: BackwardArrays): void {
  const outputs = [
    { name: "out", array: dx, exact: "" },
    { name: "residualOut", array: dresidual, exact: "" },
  ];
  checkAliases("accumulate.gradWeight", gradWeight, outputs);
  checkAliases("accumulate.gradBias", gradBias, [
    ...outputs,
    { name: "accumulate.gradWeight", array: gradWeight, exact: "" },
  ]);
}

/** Adds to the earlier gradients in place, one rounding an element; without any the fresh ones. */
function addInto(earlier: Floats | null, fresh: Floats | null): Floats | null {
  if (!earlier || !fresh) return fresh;
  for (let c = 0; c < fresh.length; c++) earlier[c]! += fresh[c]!;
  return earlier;
}

export function addTo(earlier: ParameterGrads, fresh: ParameterGrads): ParameterGrads {
  return {
    gradWeight: addInto(earlier.gradWeight, fresh.gradWeight),
    gradBias: addInto(earlier.gradBias, fresh.gradBias),
  };
}
