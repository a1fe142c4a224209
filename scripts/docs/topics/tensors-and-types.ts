/**
 * Tensors, channel axes, element types and activations, and conversions of 16-bit elements.
 *
 * Every call takes x as a typed array and its shape, or as a tensor `{ data, shape }` or `{ data, dims }`. A call that
 * is given a tensor returns a tensor of the same form.
 *
 * @module tensors-and-types
 */
export { fromBfloat16Bits, fromFloat16Bits, toBfloat16Bits, toFloat16Bits } from "../../../src/index.js";
export type {
  Activation,
  ActivationName,
  ArrayOf,
  AxisOptions,
  BitsOf,
  CheckedActivation,
  CheckedClamp,
  CheckedLeakyRelu,
  Clamp,
  Data,
  DimsTensor,
  DType,
  DTypeOf,
  Float16Values,
  Floats,
  FloatType,
  Layout,
  LeakyRelu,
  NamedActivation,
  ParametersOf,
  Prelu,
  SameForm,
  ShapeTensor,
  Sizes,
  StridedFields,
  Tensor,
  WasmModule,
} from "../../../src/index.js";
