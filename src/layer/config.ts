// The options of a layer, which are checked once. Names, meanings and defaults are those of torch.nn.BatchNorm. An
// option that differs from torch's has another name.
import { readActivation, type Activation } from "../values/activation.js";
import { readAxis, type AxisOptions, type ChannelAxes } from "../base/axes.js";
import type { BackendRequest } from "../backends/backend.js";
import { checkBoolean, checkInRange, checkOneOf } from "../base/check.js";
import { readOptions } from "../base/options.js";
import { checkEps, readResources, type Resources } from "../arguments/resources.js";
import { rangeError } from "../base/errors.js";
import { DTYPES, type DType } from "../base/types.js";

/**
 * What a forward in training does if there is one value per channel. The variance of one value is 0, so it says nothing
 * about the data. With weights, one value per channel means one position of positive weight.
 *
 * - `"error"`: it throws `ERR_BATCHNORM_SINGLE_VALUE`, as torch does.
 * - `"allow"`: it normalizes the value with itself, so that y = β, as Keras, TensorFlow and ONNX do. The running
 *   variance moves towards 0.
 * - `"running"`: it normalizes with the running statistics. Then it updates the running mean and the counter of
 *   batches, but not the running variance.
 * - `"skip"`: it normalizes with the running statistics and updates nothing.
 */
export type SingleValue = "error" | "allow" | "running" | "skip";

/** The weight of a batch in the running statistics: `momentum` or `decay`, which exclude each other. */
export type MomentumOptions =
  | {
      /**
       * The weight of the NEW batch in the running statistics, from 0 to 1. The default is 0.1, as in torch. A forward
       * in training sets running = (1 − momentum)·running + momentum·batch.
       *
       * Keras, TensorFlow and ONNX call the weight of the OLD statistics momentum. Their 0.99 is `decay: 0.99` here.
       * With `momentum: 0.99` the running mean would be 99 % the last batch.
       *
       * Momentum 1 replaces the running statistics by those of the batch, even if they were NaN or infinite. Momentum 0
       * keeps them. With null they are the mean over all batches so far: the weight is 1/numBatchesTracked, after the
       * batch is counted.
       */
      momentum?: number | null | undefined;
      /** It excludes `momentum`. */
      decay?: undefined;
    }
  | {
      /** It excludes `decay`. */
      momentum?: undefined;
      /**
       * The weight of the OLD running statistics, from 0 to 1: running = decay·running + (1 − decay)·batch. Keras,
       * TensorFlow and ONNX call it momentum. `decay: 0.99` is the same as `momentum: 0.01`.
       */
      decay?: number | undefined;
    };

/** Which parameters a layer has: `affine`, or `weight` and `bias`. They exclude each other. */
export type ParameterOptions =
  | {
      /** Whether the layer has the parameters γ and β. The default is true. It excludes `weight` and `bias`. */
      affine?: boolean | undefined;
      /** It excludes `affine`. */
      weight?: undefined;
      /** It excludes `affine`. */
      bias?: undefined;
    }
  | {
      /** It excludes `weight` and `bias`. */
      affine?: undefined;
      /** Whether the layer has γ. The default is true. Keras calls this option `scale`. */
      weight?: boolean | undefined;
      /** Whether the layer has β. The default is true. Keras calls this option `center`. */
      bias?: boolean | undefined;
    };

/**
 * The options of a `BatchNorm` layer. Defaults are those of torch.nn.BatchNorm. A wrong value throws
 * `ERR_BATCHNORM_VALUE`, a wrong kind `ERR_BATCHNORM_TYPE`, an unknown option `ERR_BATCHNORM_OPTION`.
 */
export type BatchNormOptions<D extends DType = DType> = LayerOptions<D> &
  MomentumOptions &
  ParameterOptions &
  AxisOptions;

/** The options of a layer that exclude no other. */
export interface LayerOptions<D extends DType> {
  /**
   * ε, which is added to the variance: a finite number that is not negative. The default is 1e-5. It may be 0. Then a
   * constant channel gives y = β and dx = 0, never NaN.
   */
  eps?: number | undefined;
  /** Whether the layer keeps running statistics. The default is true. Without them, `eval()` uses the batch's own. */
  trackRunningStats?: boolean | undefined;
  /** The element type of x. The default is `"float32"`. */
  dtype?: D | undefined;
  /** The activation that is applied to the output. The default is `"none"`. */
  activation?: Activation | undefined;
  /** What to do in training with one value per channel. The default is `"error"`, as in torch. */
  singleValue?: SingleValue | undefined;
  /**
   * Whether the layer keeps its own arrays for the output and for `gradInput`. The default is false. With true, each
   * call returns the same array, which is valid until the next call. Allocating a large array can take longer than
   * normalizing.
   */
  reuse?: boolean | undefined;
  /**
   * The backend to run on. If it cannot be used, calls throw a `BackendUnavailableError`. By default the environment
   * variable `BATCHNORM_BACKEND` decides, else the best backend that works here is used.
   */
  backend?: BackendRequest | undefined;
  /**
   * The upper limit of native threads, a positive integer. By default the environment variable `BATCHNORM_THREADS`
   * decides, else all cores that this process may use. The result has the same bits with any number of threads.
   */
  threads?: number | undefined;
}

const NAMES = [
  "eps",
  "momentum",
  "decay",
  "affine",
  "weight",
  "bias",
  "trackRunningStats",
  "layout",
  "axis",
  "dtype",
  "activation",
  "singleValue",
  "reuse",
  "backend",
  "threads",
] as const satisfies readonly (keyof BatchNormOptions)[];

/** The options of a layer with all defaults filled in. */
export interface Config extends Resources {
  readonly eps: number;
  readonly momentum: number | null;
  readonly weight: boolean;
  readonly bias: boolean;
  readonly trackRunningStats: boolean;
  readonly axis: ChannelAxes;
  readonly dtype: DType;
  readonly activation: Activation;
  readonly singleValue: SingleValue;
  readonly reuse: boolean;
}

function exclusive(options: Record<string, unknown>, a: string, b: string): void {
  if (a in options && b in options) throw rangeError("ERR_BATCHNORM_OPTION", `"${a}" and "${b}" exclude each other`);
}

function readMomentum({ momentum = 0.1, decay }: Record<string, unknown>): number | null {
  if (decay !== undefined) return 1 - checkInRange("decay", decay, 0, 1);
  return momentum === null ? null : checkInRange("momentum", momentum, 0, 1);
}

const configs = new WeakSet<object>();

/** Checks the options of a layer. The options of another layer have been checked already. */
export function readConfig(value: unknown): Config {
  if (typeof value === "object" && value !== null && configs.has(value)) return value as Config;
  const options = readOptions(value, NAMES);
  exclusive(options, "momentum", "decay");
  exclusive(options, "affine", "weight");
  exclusive(options, "affine", "bias");
  const { affine = true, trackRunningStats = true, reuse = false } = options;
  const { weight = affine, bias = affine, dtype = "float32", singleValue = "error" } = options;
  const config: Config = {
    eps: checkEps(options.eps),
    momentum: readMomentum(options),
    weight: checkBoolean("weight" in options ? "weight" : "affine", weight),
    bias: checkBoolean("bias", bias),
    trackRunningStats: checkBoolean("trackRunningStats", trackRunningStats),
    axis: readAxis(options),
    dtype: checkOneOf("dtype", dtype, DTYPES),
    activation: readActivation("activation", options.activation),
    singleValue: checkOneOf("singleValue", singleValue, ["error", "allow", "running", "skip"]),
    reuse: checkBoolean("reuse", reuse),
    ...readResources(options),
  };
  if (!config.trackRunningStats && (config.singleValue === "running" || config.singleValue === "skip")) {
    throw rangeError("ERR_BATCHNORM_OPTION", `"singleValue" "${config.singleValue}" needs "trackRunningStats"`);
  }
  configs.add(config);
  return Object.freeze(config);
}
