// Clause 5 of the contract, executable: an activation, and the gradient that comes back through it.
import type { Control } from "../../kernels/control.js";
import { largestZero } from "../../base/storage.js";
import { round, type Floats } from "../../base/types.js";

/** (x − center)·scale + shift. */
export function affine(isFloat32: boolean, x: number, center: number, scale: number, shift: number): number {
  return round(isFloat32, round(isFloat32, round(isFloat32, x - center) * scale) + shift);
}

/** What follows the affine map, and what undoes it; slopes are T(slope) and T(1/slope). */
export interface Activation {
  readonly isFloat32: boolean;
  /** Whether there is one. */
  readonly isActive: boolean;
  readonly leaky: boolean;
  /** Whether x holds the output. */
  readonly fromOutput: boolean;
  readonly slope: number;
  readonly inverseSlope: number;
  /** The largest y that is stored as 0. */
  readonly zero: number;
}

export function activationOf(control: Control): Activation {
  const { isFloat32 } = control;
  const slope = control.get("slope");
  return {
    isFloat32,
    isActive: control.has("activation"),
    leaky: control.has("leaky"),
    fromOutput: control.has("fromOutput"),
    slope: round(isFloat32, slope),
    inverseSlope: round(isFloat32, 1 / slope),
    zero: largestZero(control.dtype),
  };
}

export function activate({ isFloat32, isActive, leaky, slope }: Activation, z: number): number {
  if (leaky) return z <= 0 ? round(isFloat32, z * slope) : z;
  return isActive && z < 0 ? 0 : z;
}

/** What the statistics are about: x itself, or what the activation made it of. */
export function inputOf({ isFloat32, fromOutput, inverseSlope }: Activation, x: number): number {
  return fromOutput && x <= 0 ? round(isFloat32, x * inverseSlope) : x;
}

/** What the gradient of an element depends on. */
export interface Masked {
  readonly activation: Activation;
  readonly x: Floats;
  readonly dy: Floats;
  /** Under an activation: y itself where `holdsY`, else the residual that was added to the affine map of x. */
  readonly residualOrY: Floats | null;
  readonly holdsY: boolean;
  readonly center: Float64Array;
  readonly scale: Float64Array;
  readonly shift: Float64Array;
}

export function maskOf(control: Control, x: Floats, dy: Floats, residualOrY: Floats | null): Masked {
  const { center, scale, shift } = control.fields;
  const holdsY = control.has("holdsY");
  // No spread of the activation: V8 gives the result another hidden class each time, and loops took four times as long.
  return { activation: activationOf(control), x, dy, residualOrY, holdsY, center, scale, shift };
}

/** g under an activation: dy where not y ≤ 0, so that a NaN output passes it. Element p, of channel c. */
export function maskedAt(mask: Masked, c: number, p: number): number {
  const { activation, x, dy, residualOrY, holdsY, center, scale, shift } = mask;
  const { isFloat32 } = activation;
  let y: number;
  if (holdsY) {
    y = residualOrY![p]!;
  } else {
    y = affine(isFloat32, x[p]!, center[c]!, scale[c]!, shift[c]!);
    if (residualOrY) y = round(isFloat32, y + residualOrY[p]!);
  }
  if (!(y <= activation.zero)) return dy[p]!;
  return activation.leaky ? round(isFloat32, dy[p]! * activation.slope) : 0;
}
