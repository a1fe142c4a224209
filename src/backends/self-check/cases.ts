// What the self-check runs kernels on: small tensors that reach all traversals, their tails, each mask, the second pass, the
// escape, and channels whose variance is 0.
import { Control, type Extent } from "../../kernels/control.js";
import { Flag } from "../../kernels/layout.js";
import { inputsOf, longInputsOf, type Inputs } from "./inputs.js";
import { narrow } from "../../base/storage.js";
import { allocate, floatTypeOf, isStoredIn16Bits, type Data, type DType, type Floats } from "../../base/types.js";

/** What the variants of an extent share: this is the first thing a process does, and arrays are most of its time. */
interface Arrays {
  readonly control: Control;
  readonly x: Data;
  readonly dy: Data;
  readonly residual: Data;
  readonly out: Data;
  readonly stored: Data;
  readonly dresidual: Data;
  /** null in the cases without weights. */
  readonly w: Floats | null;
}

export interface Case extends Arrays {
  readonly extent: Extent;
  readonly dtype: DType;
  readonly flags: number;
  readonly hasResidual: boolean;
  /** Whether only sums are compared: tensors of more than a block would take too long otherwise. */
  readonly isLong: boolean;
}

// Planes with a tail, whole vectors and a tail of columns, small inner as columns, few columns. Tails of 15
// fill every lane but one, so that no register of a narrow instruction set holds padding alone.
const EXTENTS: readonly Extent[] = [
  { outer: 2, channels: 3, inner: 31 },
  { outer: 25, channels: 31, inner: 1 },
  { outer: 3, channels: 9, inner: 2 },
  { outer: 47, channels: 3, inner: 1 },
];
/** A second block in each traversal, shorter than the first; their data repeat a few values, which takes no time to make. */
const LONG_EXTENTS: readonly Extent[] = [
  { outer: 1, channels: 2, inner: 2048 + 31 },
  { outer: 128 + 3, channels: 19, inner: 1 },
  { outer: 2048 + 47, channels: 1, inner: 1 },
];
/** Of one value in each channel, without ε, and of weights that are all 0: r is 0. */
const CONSTANT_EXTENT: Extent = { outer: 3, channels: 3, inner: 17 };
const PLAIN = { flags: 0, hasResidual: false };
const LEAKY = Flag.activation | Flag.leaky;
const RESIDUAL = { flags: Flag.activation, hasResidual: true };
/** Either activation with each mask: each is a loop of its own, whatever the traversal. Of the extents in turn. */
const VARIANTS = [
  [
    PLAIN,
    { flags: LEAKY, hasResidual: false },
    RESIDUAL,
    { flags: LEAKY | Flag.holdsY | Flag.fromOutput, hasResidual: true },
  ],
  [
    PLAIN,
    { flags: Flag.activation, hasResidual: false },
    { flags: LEAKY, hasResidual: true },
    { flags: Flag.activation | Flag.holdsY, hasResidual: true },
  ],
] as const;
const WEIGHTED_VARIANTS = [PLAIN, RESIDUAL];

function arraysOf(dtype: DType, extent: Extent, [x, dy, residual, w]: Inputs, eps: number): Arrays {
  const control = new Control(dtype, extent);
  const { fields } = control;
  control.set("eps", eps);
  control.set("slope", 0.3);
  for (let c = 0; c < extent.channels; c++) {
    fields.weight[c] = 1 + c / 4;
    fields.bias[c] = c / 8 - 1;
  }
  const fresh = (): Data => allocate(dtype, x.length);
  const stored = (input: Float64Array): Data => {
    if (isStoredIn16Bits(dtype)) return narrow(dtype, new Float32Array(input));
    return dtype === "float32" ? new Float32Array(input) : input;
  };
  return {
    control,
    x: stored(x),
    dy: stored(dy),
    residual: stored(residual),
    out: fresh(),
    stored: fresh(),
    dresidual: fresh(),
    w: w && floatTypeOf(dtype) === "float32" ? new Float32Array(w) : w,
  };
}

/** The cases of one element type, without weights or with them, in the order of their hashes. */
export function* cases(dtype: DType, isWeighted: boolean): Generator<Case, void, undefined> {
  for (const [at, extent] of EXTENTS.entries()) {
    const arrays = arraysOf(dtype, extent, inputsOf(dtype, extent, isWeighted), 1e-5);
    const variants = isWeighted ? WEIGHTED_VARIANTS : VARIANTS[at % VARIANTS.length]!;
    for (const variant of variants) yield { ...arrays, extent, dtype, isLong: false, ...variant };
  }
  for (const extent of LONG_EXTENTS) {
    const arrays = arraysOf(dtype, extent, longInputsOf(extent, isWeighted), 1e-5);
    yield { ...arrays, extent, dtype, isLong: true, ...PLAIN };
  }
  const [x, dy, residual, w] = inputsOf(dtype, CONSTANT_EXTENT, isWeighted);
  const arrays = arraysOf(dtype, CONSTANT_EXTENT, [x.fill(3), dy, residual, w && w.fill(0)], 0);
  yield { ...arrays, extent: CONSTANT_EXTENT, dtype, isLong: false, ...PLAIN };
}
