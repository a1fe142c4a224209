// The activations that are no rectifiers (contract, clauses 4 and 5), a run at a time.
import { getSlot, header, kindOf } from "../common/control";
import { Kind, Slot } from "../common/layout";
import { lastOf, storeLast } from "../common/vec";
import { affine } from "./affine";
import { Coefficient } from "./expand";

@inline
function number<T>(value: f64): v128 {
  return v128.splat<T>(<T>value);
}

/** ŷ + 3, over 6. */
@inline
function ramp<T>(z: v128): v128 {
  return v128.mul<T>(v128.add<T>(z, number<T>(3)), number<T>(1.0 / 6));
}

/** The output for z: `below` where z ≤ low, `above` where z ≥ high. */
@inline
function between<T>(z: v128, low: v128, high: v128, below: v128, inside: v128, above: v128): v128 {
  return v128.bitselect(below, v128.bitselect(above, inside, v128.ge<T>(z, high)), v128.le<T>(z, low));
}

/** The output for z. `low` and `high` are of a clamp, `slopes` the address of the slopes of a PReLU. */
function curve<T>(kind: Kind, z: v128, low: v128, high: v128, slopes: usize): v128 {
  const zero = i64x2.splat(0), three = number<T>(3), minusThree = number<T>(-3);
  if (kind == Kind.clamp) return between<T>(z, low, high, low, z, high);
  if (kind == Kind.hardSigmoid) return between<T>(z, minusThree, three, zero, ramp<T>(z), number<T>(1));
  if (kind == Kind.hardSwish) return between<T>(z, minusThree, three, zero, v128.mul<T>(z, ramp<T>(z)), z);
  if (kind == Kind.squaredRelu) return v128.andnot(v128.mul<T>(z, z), v128.le<T>(z, zero));
  if (kind == Kind.prelu) return v128.bitselect(v128.mul<T>(z, v128.load(slopes)), z, v128.le<T>(z, zero));
  return z;
}

/** The gradient before the activation. A NaN output passes dy. */
function curveGrad<T>(kind: Kind, dy: v128, z: v128, low: v128, high: v128, slopes: usize): v128 {
  const zero = i64x2.splat(0), three = number<T>(3), minusThree = number<T>(-3);
  if (kind == Kind.clamp) return between<T>(z, low, high, zero, dy, zero);
  if (kind == Kind.hardSigmoid) {
    const inside = v128.bitselect(v128.mul<T>(dy, number<T>(1.0 / 6)), dy, v128.le<T>(z, three));
    return between<T>(z, minusThree, three, zero, inside, zero);
  }
  if (kind == Kind.hardSwish) {
    const slope = v128.add<T>(v128.mul<T>(z, number<T>(1.0 / 3)), number<T>(0.5));
    const inside = v128.bitselect(v128.mul<T>(dy, slope), dy, v128.lt<T>(z, three));
    return v128.andnot(inside, v128.le<T>(z, minusThree));
  }
  if (kind == Kind.squaredRelu) {
    const inside = v128.bitselect(v128.mul<T>(dy, v128.add<T>(z, z)), dy, v128.ge<T>(z, zero));
    return v128.andnot(inside, v128.le<T>(z, zero));
  }
  if (kind == Kind.prelu) return v128.bitselect(v128.mul<T>(dy, v128.load(slopes)), dy, v128.le<T>(z, zero));
  if (kind == Kind.slopeGradient) return v128.and(v128.mul<T>(dy, z), v128.le<T>(z, zero));
  return dy;
}

/** The activation of a run of `bytes` bytes, where it stands. Slopes are `stride` arrays behind the first center, at c. */
export function curveRun<T>(at: usize, bytes: usize, c: usize, advance: usize): void {
  const kind = kindOf(), last = lastOf(bytes), slopes = c + <usize>Coefficient.curveSlope * header.scratchStride;
  const low = number<T>(getSlot(Slot.low)), high = number<T>(getSlot(Slot.high));
  const tail = curve<T>(kind, v128.load(at + last), low, high, slopes + last * advance);
  for (let i: usize = 0; i < last; i += 16) {
    v128.store(at + i, curve<T>(kind, v128.load(at + i), low, high, slopes + i * advance));
  }
  storeLast<T>(at, tail, bytes);
}

/** The gradients of a run, as maskGrads writes them. `residual` is 0 where there is none. */
export function curveGrads<T>(
  x: usize, dy: usize, residual: usize, g: usize, bytes: usize, c: usize, stride: usize, advance: usize,
): void {
  const kind = kindOf(), low = number<T>(getSlot(Slot.low)), high = number<T>(getSlot(Slot.high));
  for (let i: usize = 0; i < bytes; i += 16) {
    const at = c + i * advance;
    let z = affine<T>(v128.load(x + i), v128.load(at), v128.load(at + stride), v128.load(at + 2 * stride));
    if (residual) z = v128.add<T>(z, v128.load(residual + i));
    const slopes = at + <usize>Coefficient.curveSlope * stride;
    v128.store(g + i, curveGrad<T>(kind, v128.load(dy + i), z, low, high, slopes));
  }
}
