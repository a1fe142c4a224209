// How the kernels are told of the activation.
import { copyInto, fill } from "../base/arrays.js";
import { lengthOf } from "../base/check.js";
import type { Floats } from "../base/types.js";
import type { Control } from "../kernels/control.js";
import { Flag, Kind } from "../kernels/layout.js";
import type { CheckedActivation } from "../values/activation.js";

const KINDS = {
  "leaky-relu": Kind.rectifier,
  clamp: Kind.clamp,
  "hard-sigmoid": Kind.hardSigmoid,
  "hard-swish": Kind.hardSwish,
  "squared-relu": Kind.squaredRelu,
  prelu: Kind.prelu,
} as const satisfies Record<string, Kind>;

/** Tells the kernels which activation to apply. `more` holds further flags. */
export function setActivation(control: Control, activation: CheckedActivation, more = 0): void {
  if (typeof activation === "string") {
    const isNone = activation === "none";
    control.set("flags", isNone ? more : Flag.activation | more);
    control.set("kind", isNone || activation === "relu" ? Kind.rectifier : KINDS[activation]);
    return;
  }
  const { type } = activation;
  control.set("flags", Flag.activation | (type === "leaky-relu" ? Flag.leaky : 0) | more);
  control.set("kind", KINDS[type]);
  if (type === "leaky-relu") {
    control.set("slope", activation.slope);
  } else if (type === "clamp") {
    control.set("low", activation.min);
    control.set("high", activation.max);
  } else if (type === "prelu") {
    setSlopes(control.fields.slope, activation.slope);
  }
}

function setSlopes(field: Float64Array, slopes: Floats): void {
  if (lengthOf(slopes) === 1) fill(field, slopes[0]!);
  else copyInto(field, slopes);
}
