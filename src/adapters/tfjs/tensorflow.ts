// What is used of TensorFlow.js. Its packages are no dependency: a caller hands its copy over, and this says what that must
// have. Types are the parts that are used here, so that the library is built and checked without TensorFlow.js.
import { describe } from "../../base/check.js";
import { typeError } from "../../base/errors.js";

/** A tensor. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly dataId: object;
  readonly isDisposed: boolean;
  dataSync(): unknown;
  data(): Promise<unknown>;
  dispose(): void;
}

/** A `tf.Variable`. */
export interface Variable extends Tensor {
  assign(value: Tensor): void;
}

/** A weight of a layer. */
export interface LayerVariable {
  read(): Tensor;
  write(value: Tensor): unknown;
}

/** Of a gradient of one's own: the output, and what gives the gradients of the inputs. */
export interface CustomGradient {
  readonly value: Tensor;
  readonly gradFunc: (dy: Tensor, saved: readonly Tensor[]) => Tensor[];
}

/** The inputs, and then the function that keeps tensors for the gradient. */
type CustomForward = (...args: (Tensor | ((tensors: readonly Tensor[]) => void))[]) => CustomGradient;

interface TensorInfo {
  readonly dataId: object;
}

/** A backend. The optional methods are those of the WebAssembly backend. */
export interface Backend {
  refCount?(dataId: object): number;
  typedArrayFromHeap?(info: TensorInfo): Float32Array;
  makeOutput?(shape: readonly number[], dtype: "float32"): TensorInfo;
  /** Its module, as Emscripten makes it. */
  readonly wasm?: {
    readonly asm?: { readonly memory?: unknown };
    _malloc?(bytes: number): number;
    _free?(address: number): void;
  };
}

interface Engine {
  readonly state: { readonly gradientDepth: number };
  makeTensorFromTensorInfo(info: TensorInfo): Tensor;
}

/** What is used of `@tensorflow/tfjs-core`. */
export interface Tensorflow {
  customGrad(f: CustomForward): (...inputs: readonly Tensor[]) => Tensor;
  tidy<T>(run: () => T): T;
  tensor(values: Float32Array, shape: readonly number[], dtype: "float32"): Tensor;
  cast(x: Tensor, dtype: "float32"): Tensor;
  reshape(x: Tensor, shape: readonly number[]): Tensor;
  add(a: Tensor, b: Tensor | number): Tensor;
  sub(a: Tensor, b: Tensor): Tensor;
  mul(a: Tensor, b: Tensor | number): Tensor;
  rsqrt(x: Tensor): Tensor;
  sum(x: Tensor, axes: readonly number[]): Tensor;
  engine(): Engine;
  backend(): Backend;
  getBackend(): string;
  readonly layers?: object;
  readonly serialization?: object;
}

/** What is used of `tf.layers.batchNormalization`'s layer. Its class is not exported. */
export interface OriginalLayer {
  readonly name: string;
  readonly axis: number;
  readonly momentum: number;
  readonly epsilon: number;
  readonly gamma?: LayerVariable | null;
  readonly beta?: LayerVariable | null;
  readonly movingMean: LayerVariable;
  readonly movingVariance: LayerVariable;
  getConfig(): Record<string, unknown>;
  getClassName(): string;
  call(inputs: unknown, kwargs: unknown): unknown;
}

export interface OriginalClass {
  new (config?: object): OriginalLayer;
  readonly prototype: object;
}

/** What is used of `@tensorflow/tfjs-layers`. */
export interface TensorflowLayers {
  readonly layers: { batchNormalization(config: object): OriginalLayer };
  readonly serialization: { registerClass(layer: OriginalClass & { readonly className: string }): unknown };
}

const FUNCTIONS = [
  "customGrad",
  "tidy",
  "tensor",
  "cast",
  "reshape",
  "add",
  "sub",
  "mul",
  "rsqrt",
  "sum",
  "engine",
  "backend",
  "getBackend",
] as const satisfies readonly (keyof Tensorflow)[];

function has(value: object, name: string): boolean {
  return typeof (value as Record<string, unknown>)[name] === "function";
}

/** @throws TypeError unless it has all that is used of TensorFlow.js. */
export function checkTensorflow(value: unknown): asserts value is Tensorflow {
  if (value === null || typeof value !== "object") {
    const hint = `pass the namespace: import * as tf from "@tensorflow/tfjs"`;
    throw typeError("ERR_BATCHNORM_TYPE", `"tf" expected TensorFlow.js, got ${describe(value)}: ${hint}`);
  }
  const missing = FUNCTIONS.filter((name) => !has(value, name));
  if (missing.length === 0) return;
  const hint = missing.length === FUNCTIONS.length && "default" in value ? `: pass its "default"` : "";
  throw typeError("ERR_BATCHNORM_TYPE", `"tf" expected TensorFlow.js, got none of ${missing.join(", ")}${hint}`);
}

/** Whether it has `tf.layers` too. */
export function hasLayers(tf: Tensorflow): tf is Tensorflow & TensorflowLayers {
  const { layers, serialization } = tf;
  const isComplete = layers !== undefined && has(layers, "batchNormalization");
  return isComplete && serialization !== undefined && has(serialization, "registerClass");
}

/** The class of tf.layers.batchNormalization. The probe has a name, so that the numbers in names of layers go on. */
export function originalOf(tf: TensorflowLayers): OriginalClass {
  return tf.layers.batchNormalization({ name: "probe" }).constructor as OriginalClass;
}

/** Whether a value is a tensor that can be read. */
export function isTensor(value: unknown): value is Tensor {
  if (value === null || typeof value !== "object") return false;
  return has(value, "dataSync") && has(value, "data") && "dataId" in value && "shape" in value;
}

export function isVariable(value: Tensor): value is Variable {
  return has(value, "assign");
}
