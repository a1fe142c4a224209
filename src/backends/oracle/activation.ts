// Clause 5 of the contract, executable: an activation, and the gradient that comes back through it.
import type { Control } from "../../kernels/control.js";
import { Kind } from "../../kernels/layout.js";
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
  /** Which one; what follows is for others than a rectifier, of type T. */
  readonly kind: Kind;
  readonly low: number;
  readonly high: number;
  /** Of each channel. */
  readonly slopes: Float64Array;
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
    kind: control.get("kind") as Kind,
    low: round(isFloat32, control.get("low")),
    high: round(isFloat32, control.get("high")),
    slopes: control.fields.slope,
  };
}

export function activate(activation: Activation, z: number, c: number): number {
  const { isFloat32, isActive, leaky, slope } = activation;
  if (activation.kind !== Kind.rectifier) return curveAt(activation, z, c);
  if (leaky) return z <= 0 ? round(isFloat32, z * slope) : z;
  return isActive && z < 0 ? 0 : z;
}

/** ŷ + 3, over 6: what a hard sigmoid is between −3 and 3. */
function ramp(isFloat32: boolean, z: number): number {
  return round(isFloat32, round(isFloat32, z + 3) * round(isFloat32, 1 / 6));
}

/** The output of an activation that is no rectifier, of ŷ = z in channel c. */
function curveAt({ isFloat32, kind, low, high, slopes }: Activation, z: number, c: number): number {
  switch (kind) {
    case Kind.clamp:
      return z <= low ? low : z >= high ? high : z;
    case Kind.hardSigmoid:
      return z <= -3 ? 0 : z >= 3 ? 1 : ramp(isFloat32, z);
    case Kind.hardSwish:
      return z <= -3 ? 0 : z >= 3 ? z : round(isFloat32, z * ramp(isFloat32, z));
    case Kind.squaredRelu:
      return z <= 0 ? 0 : round(isFloat32, z * z);
    case Kind.prelu:
      return z <= 0 ? round(isFloat32, z * round(isFloat32, slopes[c]!)) : z;
    case Kind.rectifier:
    case Kind.slopeGradient:
      return z;
  }
}

/** g behind an activation that is no rectifier. */
function curveGradAt({ isFloat32, kind, low, high, slopes }: Activation, dy: number, z: number, c: number): number {
  if (Number.isNaN(z)) return kind === Kind.slopeGradient ? 0 : dy;
  switch (kind) {
    case Kind.clamp:
      return z <= low || z >= high ? 0 : dy;
    case Kind.hardSigmoid:
      return z <= -3 || z >= 3 ? 0 : round(isFloat32, dy * round(isFloat32, 1 / 6));
    case Kind.hardSwish: {
      if (z >= 3) return dy;
      if (z <= -3) return 0;
      const slope = round(isFloat32, round(isFloat32, z * round(isFloat32, 1 / 3)) + 0.5);
      return round(isFloat32, dy * slope);
    }
    case Kind.squaredRelu:
      return z <= 0 ? 0 : round(isFloat32, dy * round(isFloat32, z + z));
    case Kind.prelu:
      return z <= 0 ? round(isFloat32, dy * round(isFloat32, slopes[c]!)) : dy;
    case Kind.slopeGradient:
      return z <= 0 ? round(isFloat32, dy * z) : 0;
    case Kind.rectifier:
      return dy;
  }
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

/** g under an activation: dy where not y ≤ 0, so that a NaN output passes it. Element p, of channel c. Curves read no stored y. */
export function maskedAt(mask: Masked, c: number, p: number): number {
  const { activation, x, dy, residualOrY, holdsY, center, scale, shift } = mask;
  const { isFloat32 } = activation;
  const isCurve = activation.kind !== Kind.rectifier;
  let y: number;
  if (holdsY && !isCurve) {
    y = residualOrY![p]!;
  } else {
    y = affine(isFloat32, x[p]!, center[c]!, scale[c]!, shift[c]!);
    if (residualOrY) y = round(isFloat32, y + residualOrY[p]!);
  }
  if (isCurve) return curveGradAt(activation, dy[p]!, y, c);
  if (!(y <= activation.zero)) return dy[p]!;
  return activation.leaky ? round(isFloat32, dy[p]! * activation.slope) : 0;
}
