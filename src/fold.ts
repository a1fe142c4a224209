// `batchnorm/fold`: batch normalizations in inference, folded into the layers beside them.
export {
  foldIntoConv,
  foldIntoConvTranspose,
  foldIntoLinear,
  foldIntoNextConv,
  foldIntoNextLinear,
  type FoldConvOptions,
  type FoldConvTransposeOptions,
  type FoldLinearOptions,
} from "./folding/fold.js";
export type { FoldedWeights, MaybeBias, Weights } from "./folding/apply.js";
export type { WeightConvention } from "./folding/geometry.js";
export { scaleShift, type Foldable, type NormOptions, type ScaleShift } from "./folding/scale-shift.js";
