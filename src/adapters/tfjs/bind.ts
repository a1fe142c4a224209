// What a program gets for its copy of TensorFlow.js.
import { layerClassesOf, type LayerClasses } from "./layer.js";
import { batchNorm, batchNormAsync, type TfjsBatchNormOptions } from "./operation.js";
import { replaceBatchNormalization } from "./replace.js";
import type { TfjsExtras } from "./settings.js";
import {
  checkTensorflow,
  hasLayers,
  originalOf,
  type OriginalClass,
  type Tensorflow,
  type TensorflowLayers,
} from "./tensorflow.js";

type AnyFunction = (...args: never[]) => unknown;

/** A copy of TensorFlow.js, at least its core: the functions of `@tensorflow/tfjs-core` that are used. `tf` has them all. */
export type TfjsCore = Readonly<
  Record<
    | "customGrad"
    | "tidy"
    | "tensor"
    | "cast"
    | "reshape"
    | "add"
    | "sub"
    | "mul"
    | "rsqrt"
    | "sum"
    | "engine"
    | "backend"
    | "getBackend",
    AnyFunction
  >
>;

/** A copy of TensorFlow.js with its layers: what is used of `@tensorflow/tfjs-layers` too. `tf` has it all. */
export type TfjsLayers = TfjsCore & {
  /** Makes the original of the layer. */
  readonly layers: Readonly<Record<"batchNormalization", AnyFunction>>;
  /** Registers the layer for files. */
  readonly serialization: Readonly<Record<"registerClass", AnyFunction>>;
};

/** A tensor of the copy of TensorFlow.js that `T` is. */
export type TfjsTensor<T extends TfjsCore> = ReturnType<T["tensor"]>;

/** A layer of the copy of TensorFlow.js that `T` is. */
export type TfjsLayer<T extends TfjsLayers> = ReturnType<T["layers"]["batchNormalization"]> & TfjsExtras;

/** The config of a `BatchNormalization`: that of `tf.layers.batchNormalization`, and what it has no option for. */
export type BatchNormalizationConfig<T extends TfjsLayers> = NonNullable<
  Parameters<T["layers"]["batchNormalization"]>[0]
> &
  TfjsExtras;

/** The class of the layer for a copy of TensorFlow.js. */
export interface TfjsLayerClass<T extends TfjsLayers> {
  /**
   * Makes a layer.
   *
   * @param config That of `tf.layers.batchNormalization`, and what it has no option for.
   * @throws TypeError or RangeError if a setting is wrong. `ErrorCode` lists the codes.
   */
  new (config?: BatchNormalizationConfig<T>): TfjsLayer<T>;
}

/** The operations for a copy of TensorFlow.js. */
export interface TfjsOperations<T extends TfjsCore> {
  /**
   * Normalizes each channel of x: y = γ·(x − μ)/√(σ² + ε) + β. In training, μ and σ² are the mean and the biased variance of
   * x, and the moving statistics are assigned to: moving = momentum·moving + (1 − momentum)·statistic. In inference they
   * are the moving statistics.
   *
   * It has gradients with respect to x, γ and β, and in inference with respect to the moving statistics, as tf.batchNorm
   * has. A gradient of a gradient is computed by operations of TensorFlow.js.
   *
   * @param x A float32 tensor of any rank that TensorFlow.js has. Integers are cast.
   * @param options The mode, the parameters, the statistics and more.
   * @returns A float32 tensor of the shape of x.
   * @throws TypeError or RangeError if an argument is wrong, before anything is written. `ErrorCode` lists the codes.
   * @throws RangeError if tensors of the backend in use can only be awaited, as on WebGPU (`ERR_BATCHNORM_VALUE`).
   */
  readonly batchNorm: <X extends TfjsTensor<T>>(x: X, options?: TfjsBatchNormOptions<TfjsTensor<T>>) => X;
  /**
   * As `batchNorm`, on any backend and without gradients: it awaits the elements of the tensors.
   *
   * @param x A float32 tensor of any rank that TensorFlow.js has. Integers are cast.
   * @param options The mode, the parameters, the statistics and more.
   * @returns A float32 tensor of the shape of x.
   * @throws TypeError or RangeError if an argument is wrong, before anything is written. `ErrorCode` lists the codes.
   */
  readonly batchNormAsync: <X extends TfjsTensor<T>>(x: X, options?: TfjsBatchNormOptions<TfjsTensor<T>>) => Promise<X>;
}

/** The operations and the layer for a copy of TensorFlow.js. */
export interface TfjsBatchNorm<T extends TfjsLayers> extends TfjsOperations<T> {
  /**
   * A layer in place of `tf.layers.batchNormalization`: the same config, the same weights in the same order, the same
   * results but for rounding. It takes any axis of any rank, and trains without γ or β too.
   *
   * A model with it is saved under the name that TensorFlow.js gives its own layer, and loads without this library. With
   * `renorm` or `virtualBatchSize` it has a name of its own, and loads where `bindTfjs` was called.
   */
  readonly BatchNormalization: TfjsLayerClass<T>;
  /**
   * Gives the batch normalizations of a model this class. Their weights, names, places and `trainable` stay, also in nested
   * models, in wrappers and in layers that are shared. The optimizer of a compiled model keeps its state.
   *
   * @param model A tf.LayersModel or tf.Sequential, built or loaded.
   * @param options What `tf.layers.batchNormalization` has no option for; all replaced layers get it.
   * @returns The replaced layers. One that was replaced before, or has a class of the caller's, is not among them.
   * @throws TypeError if it is no model with layers, or one of another copy of TensorFlow.js (`ERR_BATCHNORM_TYPE`).
   */
  readonly replaceBatchNormalization: (model: object, options?: TfjsExtras) => TfjsLayer<T>[];
}

const operations = new WeakMap<Tensorflow, object>();
const classes = new WeakMap<OriginalClass, LayerClasses>();

/** The classes of a copy of TensorFlow.js, whatever namespace it was handed over by. */
function classesOf(tf: Tensorflow & TensorflowLayers): LayerClasses {
  const original = originalOf(tf);
  const known = classes.get(original);
  if (known) return known;
  const made = layerClassesOf(tf);
  classes.set(original, made);
  return made;
}

/**
 * Makes batch normalization for a program's copy of TensorFlow.js.
 *
 * It is a function of `tf`, because only the program knows its copy: `@tensorflow/tfjs`, its core and layers alone,
 * tfjs-node, or a script tag. An import here could find a second copy, whose layers the first does not take.
 *
 * @param tf TensorFlow.js with its layers: the namespace, or an object of what `TfjsLayers` lists.
 * @returns The operations and the layer. The same copy always gets the same class.
 * @throws TypeError if something is missing (`ERR_BATCHNORM_TYPE`).
 */
export function bindTfjs<T extends TfjsLayers>(tf: T): TfjsBatchNorm<T>;
/**
 * Makes batch normalization for a program's copy of TensorFlow.js without layers.
 *
 * @param tf `@tensorflow/tfjs-core`: the namespace, or an object of what `TfjsCore` lists.
 * @returns The operations.
 * @throws TypeError if something is missing (`ERR_BATCHNORM_TYPE`).
 */
export function bindTfjs<T extends TfjsCore>(tf: T): TfjsOperations<T>;
export function bindTfjs(tf: unknown): unknown {
  checkTensorflow(tf);
  const known = operations.get(tf);
  if (known) return known;
  const bound = {
    batchNorm: (x: unknown, options?: unknown) => batchNorm(tf, x, options),
    batchNormAsync: (x: unknown, options?: unknown) => batchNormAsync(tf, x, options),
    ...(hasLayers(tf) && layersOf(classesOf(tf))),
  };
  operations.set(tf, bound);
  return bound;
}

function layersOf(made: LayerClasses): object {
  return {
    BatchNormalization: made.BatchNormalization,
    replaceBatchNormalization: (model: unknown, options?: unknown) => replaceBatchNormalization(made, model, options),
  };
}
