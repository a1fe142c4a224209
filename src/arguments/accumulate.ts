// The option `accumulate` of a backward. It names parameter gradients of an earlier backward, to which the new ones are
// added.
import { checkOptionalData, lengthOf } from "../base/check.js";
import { readOptions } from "../base/options.js";
import type { BackwardArrays, ParameterGrads } from "../engine/backward.js";
import type { Needed } from "../values/need.js";
import { checkAlias, checkApart } from "../values/aliases.js";
import { gradLengthOf } from "../values/sample-tables.js";
import { slopesOf } from "../values/activation.js";
import type { Saved } from "../values/saved.js";
import { floatTypeOf, type Floats } from "../base/types.js";

/** Reads the fields of an earlier result once. */
export function readEarlier(value: unknown): Record<string, unknown> {
  return readOptions(value, ["gradInput", "gradWeight", "gradBias", "gradSlope", "gradResidual"], "accumulate");
}

/** The arrays to add to, for the gradients that are needed. */
export function checkEarlier(
  earlier: Record<string, unknown>,
  saved: Saved,
  { weight, bias, slope }: Needed,
): ParameterGrads {
  const type = floatTypeOf(saved.dtype);
  const target = (name: keyof ParameterGrads, length: number): Floats | null =>
    checkOptionalData(`accumulate.${name}`, earlier[name], type, length);
  return {
    gradWeight: weight ? target("gradWeight", gradLengthOf(saved, "hasWeight")) : null,
    gradBias: bias ? target("gradBias", gradLengthOf(saved, "hasBias")) : null,
    gradSlope: slope ? target("gradSlope", lengthOf(slopesOf(saved.activation)!)) : null,
  };
}

/** The kernels must not write to these arrays, because the new gradients are added after the kernels have run. */
export function checkSeparate(earlier: ParameterGrads, { dx, dresidual }: BackwardArrays): void {
  const { gradWeight, gradBias, gradSlope } = earlier;
  if (!gradWeight && !gradBias && !gradSlope) return;
  for (const [name, gradient] of Object.entries({ gradWeight, gradBias, gradSlope }))
    checkApart(`accumulate.${name}`, gradient, { out: dx, residualOut: dresidual });
  checkAlias("accumulate.gradBias", gradBias, "accumulate.gradWeight", gradWeight);
  if (!gradSlope) return;
  checkAlias("accumulate.gradSlope", gradSlope, "accumulate.gradWeight", gradWeight);
  checkAlias("accumulate.gradSlope", gradSlope, "accumulate.gradBias", gradBias);
}

/**
 * Adds to the earlier gradients in place, with one rounding per element. Without earlier ones, it returns the new ones.
 */
function addInto(earlier: Floats | null, fresh: Floats | null): Floats | null {
  if (!earlier || !fresh) return fresh;
  for (let c = 0; c < fresh.length; c++) earlier[c]! += fresh[c]!;
  return earlier;
}

export function addTo(earlier: ParameterGrads, fresh: ParameterGrads): ParameterGrads {
  return {
    gradWeight: addInto(earlier.gradWeight, fresh.gradWeight),
    gradBias: addInto(earlier.gradBias, fresh.gradBias),
    gradSlope: addInto(earlier.gradSlope, fresh.gradSlope),
  };
}
