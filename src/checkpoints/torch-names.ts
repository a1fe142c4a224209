// What torch calls element types, and the classes of memory that holds them.
import type { TensorDType } from "./tensors.js";

/** The classes of storages, by the types of their elements. */
export const STORAGES: Readonly<Partial<Record<TensorDType, string>>> = {
  float64: "DoubleStorage",
  float32: "FloatStorage",
  float16: "HalfStorage",
  bfloat16: "BFloat16Storage",
  int64: "LongStorage",
  int32: "IntStorage",
  int16: "ShortStorage",
  int8: "CharStorage",
  uint8: "ByteStorage",
  bool: "BoolStorage",
};

/** What torch calls the element types. */
export const DTYPES: Readonly<Record<TensorDType, string>> = {
  bool: "bool",
  uint8: "uint8",
  int8: "int8",
  float8_e5m2: "float8_e5m2",
  float8_e4m3: "float8_e4m3fn",
  float8_e8m0: "float8_e8m0fnu",
  int16: "int16",
  uint16: "uint16",
  float16: "float16",
  bfloat16: "bfloat16",
  int32: "int32",
  uint32: "uint32",
  float32: "float32",
  float64: "float64",
  int64: "int64",
  uint64: "uint64",
};
