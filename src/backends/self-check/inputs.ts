// Seeded data of the self-check. Every operation rounds as IEEE 754 says, so that all machines have the same bits. The
// addon makes the same in native/self_check/data.h.
import type { Extent } from "../../kernels/control.js";
import type { DType } from "../../base/types.js";
import type { CaseRow } from "./table.js";
import type { Sample } from "./tools.js";

/** Squares overflow and underflow in float32 (escape); binary16 holds no such values. */
const EXTREME = { huge: 1e20, tiny: 1e-22 };
const HALF_EXTREME = { huge: 4, tiny: 1 / 64 };
const ORDINARY = { huge: 1, tiny: 1 };
/** A prime, so that no two lanes of a block hold the same values. */
const PERIOD = 127;

/** Weights of positions, every fifth 0. */
function weightsOf(sample: Sample, { outer, inner }: Extent, scale: number): Float64Array {
  return sample({ outer, channels: 1, inner }, ORDINARY, 4).map((value, at) =>
    at % 5 === 2 ? 0 : Math.min(scale * Math.abs(value), 2 ** 127),
  );
}

/** x, dy, the residual, and w where it is wanted. */
export type Inputs = readonly [x: Float64Array, dy: Float64Array, residual: Float64Array, w: () => Float64Array];

function shakyInputs(sample: Sample, dtype: DType, extent: Extent): Inputs {
  const extreme = dtype === "float16" ? HALF_EXTREME : EXTREME;
  return [
    // The first sample makes a poor shift: a second pass.
    sample(extent, extreme, 1, "unsampled", 300),
    sample(extent, extreme, 2, "first", 1e4),
    sample(extent, extreme, 3, "first", 1e4),
    // Of few columns so large that float32 does not hold their sum.
    () => weightsOf(sample, extent, extent.channels * extent.inner < 16 ? 2 ** 127 : 1),
  ];
}

/** Ordinary values again and again, and weights likewise. */
function repeatedInputs(sample: Sample, { outer, channels, inner }: Extent): Inputs {
  const period = { outer: PERIOD, channels: 1, inner: 1 };
  const repeated = (values: Float64Array, length: number): Float64Array => {
    const data = new Float64Array(length);
    for (let p = 0; p < length; p += PERIOD) data.set(values.subarray(0, length - p), p);
    return data;
  };
  const size = outer * channels * inner;
  const [x, dy, residual] = [1, 2, 3].map((seed) => repeated(sample(period, ORDINARY, seed), size));
  return [x!, dy!, residual!, () => repeated(weightsOf(sample, period, 1), outer * inner)];
}

/** Ordinary values, but in x: NaN where the weight is 0, infinity in the middle of the next channel, zeros or infinities in others. */
function specialInputs(sample: Sample, extent: Extent): Inputs {
  const { outer, channels, inner } = extent;
  const x = sample(extent, ORDINARY, 1);
  for (let p = 0; p < x.length; p++) {
    const role = (Math.floor(p / inner) % channels) % 4;
    const index = Math.floor(p / (channels * inner)) * inner + (p % inner);
    if (role === 0 && index === 2) x[p] = NaN;
    if (role === 1 && index === Math.floor((outer * inner) / 2)) x[p] = Infinity;
    if (role === 2) x[p] = index % 2 === 0 ? 0 : -0;
    if (role === 3 && index % 5 === 0) x[p] = index % 2 === 0 ? Infinity : -Infinity;
  }
  return [x, sample(extent, ORDINARY, 2), sample(extent, ORDINARY, 3), () => weightsOf(sample, extent, 1)];
}

/** The data of a case in float64. */
export function inputsOf(sample: Sample, dtype: DType, { extent, data }: CaseRow): Inputs {
  if (data === "repeated") return repeatedInputs(sample, extent);
  if (data === "special") return specialInputs(sample, extent);
  const inputs = shakyInputs(sample, dtype, extent);
  if (data === "shaky") return inputs;
  const [x, dy, residual, w] = inputs;
  return [x.fill(3), dy, residual, () => w().fill(0)];
}
