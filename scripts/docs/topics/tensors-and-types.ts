/**
 * Tensors, shapes, channel axes and element types.
 *
 * @module tensors-and-types
 */
export type {
  Activation,
  ArrayOf,
  BitsOf,
  Data,
  DimsTensor,
  DType,
  DTypeOf,
  Float16Values,
  Floats,
  FloatType,
  Layout,
  LeakyRelu,
  ParametersOf,
  SameForm,
  ShapeTensor,
  Tensor,
} from "../../../src/index.js";
