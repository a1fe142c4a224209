// The options of the stateless forward functions, and how their calls are read.
import type { Activation } from "../values/activation.js";
import { readAxis, type AxisOptions } from "../base/axes.js";
import type { BackendRequest } from "../backends/backend.js";
import {
  FORWARD_OPTIONS,
  readForward,
  type ForwardFields,
  type GivenForward,
  type ResidualOptions,
} from "./forward.js";
import { readParameters } from "./conditional.js";
import { dtypeOf } from "./dtype.js";
import { RESOURCES, checkEps, readResources, type Resources } from "./resources.js";
import type { Parameters } from "../engine/forward.js";
import { rangeError } from "../base/errors.js";
import type { ChannelMoments } from "../kernels/moments.js";
import { planOf, type Plan } from "../values/plan.js";
import type { GivenTables } from "../values/sample-tables.js";
import type { DType, ParametersOf } from "../base/types.js";
import type { Weights } from "../values/weights.js";

/** The element type of x, the place of its channels, and what runs the call. */
export type LayoutOptions<D extends DType = DType> = CallOptions<D> & AxisOptions;

/** The element type of x, and what runs the call. */
export interface CallOptions<D extends DType> {
  /**
   * The element type of x. It is required if x is a Uint16Array, which may hold float16 or bfloat16. Any other array
   * says its type itself.
   */
  dtype?: D | undefined;
  /**
   * The backend to run on. If it cannot be used, the call throws a `BackendUnavailableError`. By default the
   * environment variable `BATCHNORM_BACKEND` decides, else the best backend that works here is used.
   */
  backend?: BackendRequest | undefined;
  /**
   * The upper limit of threads, a positive integer. Native kernels have several, and WebAssembly in a shared arena. By
   * default the environment variable `BATCHNORM_THREADS` decides, else all cores that this process may use. The result
   * has the same bits with any number of threads.
   */
  threads?: number | undefined;
}

/** The parameters of a forward without a layer: γ, β, ε and the activation. */
export type AffineOptions<D extends DType> = AffineFields<D> & ResidualOptions<D> & AxisOptions;

/** γ, β, ε and the activation, and what every forward may be given. */
export interface AffineFields<D extends DType> extends ForwardFields<D>, CallOptions<D> {
  /**
   * γ, one element per channel. Without it γ is 1, and the backward returns no `gradWeight`. Conditional batch
   * normalization gives N·C elements: a row with one element per channel for each index of the first axis.
   */
  weight?: ParametersOf<D> | null | undefined;
  /** β, one element per channel, or N·C elements. Without it β is 0, and the backward returns no `gradBias`. */
  bias?: ParametersOf<D> | null | undefined;
  /**
   * ε, which is added to the variance: a finite number that is not negative. The default is 1e-5. It may be 0. Then a
   * channel of variance 0 gives y = β and dx = 0, never NaN.
   */
  eps?: number | undefined;
  /** The activation that is applied to the output. The default is `"none"`. */
  activation?: Activation | undefined;
}

/** The options of `batchNormTraining`. */
export type TrainingOptions<D extends DType> = GivenMoments & AffineOptions<D>;

/** Moments that a training forward is given. */
export interface GivenMoments {
  /**
   * The moments to normalize with. By default they are those of x. Synchronized or accumulated batch normalization
   * passes the merged moments of all parts. If these had a mask or weights, pass the same ones here: the backward needs
   * them. A count of 0 throws `ERR_BATCHNORM_VALUE`, unless x has no elements or only weights of 0.
   */
  moments?: ChannelMoments | undefined;
}

/** The options of `batchNormInference`. */
export type InferenceOptions<D extends DType> = GivenStatistics<D> & AffineOptions<D>;

/** The statistics that an inference is given. */
export interface GivenStatistics<D extends DType> {
  /** The mean to subtract, one element per channel. */
  runningMean: ParametersOf<D>;
  /** The variance to divide by, one element per channel. ε is added to it. */
  runningVar: ParametersOf<D>;
}

export const LAYOUT_OPTIONS = ["layout", "axis", "dtype", ...RESOURCES] as const;
export const AFFINE_OPTIONS = ["weight", "bias", "eps", "activation", ...FORWARD_OPTIONS, ...LAYOUT_OPTIONS] as const;

/** The arguments of a stateless forward as they were given, and their plan. */
export interface StatelessCall extends GivenForward {
  readonly plan: Plan;
  readonly resources: Resources;
}

/** Reads `(x, shape, options?)` or `(tensor, options?)` and makes the plan. */
export function readStateless(args: readonly unknown[], allowed: readonly string[]): StatelessCall {
  const given = readForward(args, allowed);
  const { x, shape, options } = given;
  const dtype = dtypeOf("x", x.data, options.dtype);
  return { ...given, plan: planOf(shape, readAxis(options), dtype), resources: readResources(options) };
}

/** Checks γ, β and ε of a call. γ and β may be those of each sample. */
export function checkParameters({ plan, options }: StatelessCall): {
  readonly parameters: Parameters;
  readonly conditional: GivenTables | null;
} {
  const { weight, bias, conditional } = readParameters(plan, options);
  return { parameters: { weight, bias, eps: checkEps(options.eps) }, conditional };
}

/** Checks the count of given moments. It may be 0 only if no value of the batch counts. */
export function checkCount<M extends ChannelMoments>(moments: M, { size }: Plan, weights: Weights | null): M {
  if (moments.count === 0 && size > 0 && weights?.positive !== 0)
    throw rangeError("ERR_BATCHNORM_VALUE", `"moments.count" expected a positive number, got 0`);
  return moments;
}
