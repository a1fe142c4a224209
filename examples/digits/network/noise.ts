// What training may do to a layer's values at random: dropout, and noise for each unit. Neither acts in evaluation.

/** A random change of a layer's values, drawn anew in every forward, and its backward pass. */
export interface Disturbance {
  readonly forward: (values: Float32Array, units: number) => Float32Array;
  readonly backward: (gradient: Float32Array, units: number) => Float32Array;
}

export const nothing: Disturbance = { forward: (values) => values, backward: (gradient) => gradient };

/** Sets a share of the values to 0 and scales the others up, so that the mean stays (Srivastava et al. 2014). */
export function dropout(share: number, random: () => number): Disturbance {
  let kept = new Float32Array(0);
  const apply = (values: Float32Array): Float32Array => values.map((value, p) => value * kept[p]!);
  return {
    forward(values) {
      kept = new Float32Array(values.length);
      for (let p = 0; p < kept.length; p++) kept[p] = random() < share ? 0 : 1 / (1 - share);
      return apply(values);
    },
    backward: apply,
  };
}

/**
 * Multiplies each unit's values by a number from [1, std) and adds a number from [−mean, mean), so that their distribution
 * shifts at every step, after Santurkar et al. 2018, who made internal covariate shift worse to see whether it matters.
 */
export function unitNoise(
  { mean, std }: { readonly mean: number; readonly std: number },
  random: () => number,
): Disturbance {
  let scale = new Float32Array(0);
  return {
    forward(values, units) {
      scale = Float32Array.from({ length: units }, () => 1 + (std - 1) * random());
      const shift = Float32Array.from({ length: units }, () => mean * (2 * random() - 1));
      return values.map((value, p) => value * scale[p % units]! + shift[p % units]!);
    },
    backward: (gradient, units) => gradient.map((value, p) => value * scale[p % units]!),
  };
}
