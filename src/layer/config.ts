// The options of a layer, which are checked once. Names, meanings and defaults are those of torch.nn.BatchNorm. An
// option that differs from torch's has another name.
import { readActivation, type Activation } from "../values/activation.js";
import { readAxis, type AxisOptions, type ChannelAxes } from "../base/axes.js";
import type { BackendRequest } from "../backends/backend.js";
import { checkBoolean, checkInRange, checkNumber, checkOneOf } from "../base/check.js";
import { readOptions } from "../base/options.js";
import { checkEps, readResources, type Resources } from "../arguments/resources.js";
import { rangeError } from "../base/errors.js";
import { readRenorm, type Renorm } from "../policies/renorm.js";
import { readCut, type Cut, type VirtualBatches } from "../policies/virtual-batches.js";
import { DTYPES, type DType } from "../base/types.js";
import { CONVENTIONS, CONVENTION_NAMES, checkConvertible, type Convention, type ConventionRow } from "./convention.js";
import { checkMomentum, type Momentum } from "./running.js";

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

/** See the option `onNonFinite`. */
export type OnNonFinite = "propagate" | "skip" | "throw";

/** The weight of a batch in the running statistics: `momentum` or `decay`, which exclude each other. */
export type MomentumOptions =
  | {
      /**
       * The weight of the NEW batch in the running statistics, from 0 to 1. The default is 0.1, as in torch. A forward
       * in training sets running = (1 − momentum)·running + momentum·batch.
       *
       * Keras, TensorFlow and ONNX call the weight of the OLD statistics momentum. Their 0.99 is `decay: 0.99` here, or
       * `momentum: 0.99` with their `convention`. With `momentum: 0.99` alone the running mean would be 99 % the last
       * batch.
       *
       * Weight 1 replaces the running statistics by those of the batch, even if they were NaN or infinite. Weight 0
       * keeps them. With null they are the mean over all batches so far: the weight is 1/numBatchesTracked, after the
       * batch is counted. A function returns the momentum of each batch, and gets its number: 1, 2 and so on.
       */
      momentum?: Momentum | undefined;
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
   * The framework whose defaults the layer has, and whose meaning of `momentum`. The default is `"torch"`. Every single
   * option can be given as well.
   */
  convention?: Convention | undefined;
  /**
   * What is taken off the count where the running variance is updated: 1 for Σ(x − mean)²/(n − 1), as in torch, or 0 for
   * Σ(x − mean)²/n, as in Keras and ONNX. The default is 1. Batches are normalized with the latter in any case.
   */
  correction?: 0 | 1 | undefined;
  /**
   * What a forward in training does if the mean or the variance of a channel is NaN or infinite.
   *
   * - `"propagate"`: the running statistics take it over, as in torch. This is the default.
   * - `"skip"`: the running statistics and the counter stay as they are. The output is the same.
   * - `"throw"`: it throws `ERR_BATCHNORM_NOT_FINITE` before anything is written.
   */
  onNonFinite?: OnNonFinite | undefined;
  /**
   * ε, which is added to the variance: a finite number that is not negative. The default is 1e-5. It may be 0. Then a
   * constant channel gives y = β and dx = 0, never NaN.
   */
  eps?: number | undefined;
  /** Whether the layer keeps running statistics. The default is true. Without them, `eval()` uses the batch's own. */
  trackRunningStats?: boolean | undefined;
  /**
   * Batch renormalization (Ioffe 2017), for small batches: y = γ·(x̂·r + d) + β with r = σ/σ_run within [1/rMax, rMax] and
   * d = (μ − μ_run)/σ_run within [−dMax, dMax], where σ = √(σ² + ε). Training then normalizes with the running statistics,
   * as far as the limits allow. r and d are made of the running statistics before the batch, and are constants in the
   * backward. Limits of 1 and 0 are batch normalization: the paper begins with them, and ends with 3 and 5. A function
   * returns the limits for each batch, and gets its number. It needs `trackRunningStats`.
   */
  renorm?: Renorm | undefined;
  /**
   * Ghost batch normalization (Hoffer et al. 2017): in training, a batch is cut into virtual batches of so many samples,
   * and each of them is normalized with its own statistics. Samples are the indices of the first axis. The last virtual
   * batch may be smaller. In inference nothing is cut. `momentum` and `renorm` functions are asked once for each forward.
   */
  virtualBatchSize?: number | undefined;
  /** Which samples make up a virtual batch. The default is `"contiguous"`. It needs `virtualBatchSize`. */
  virtualBatches?: VirtualBatches | undefined;
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
  "correction",
  "convention",
  "affine",
  "weight",
  "bias",
  "trackRunningStats",
  "layout",
  "axis",
  "dtype",
  "activation",
  "singleValue",
  "onNonFinite",
  "renorm",
  "virtualBatchSize",
  "virtualBatches",
  "reuse",
  "backend",
  "threads",
] as const satisfies readonly (keyof BatchNormOptions)[];

/** The options of a layer with all defaults filled in. */
export interface Config extends Resources {
  readonly convention: Convention;
  readonly correction: 0 | 1;
  readonly onNonFinite: OnNonFinite;
  readonly renorm: Renorm | null;
  readonly cut: Cut | null;
  readonly eps: number;
  readonly momentum: Momentum;
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

function readMomentum({ momentum, decay }: Record<string, unknown>, row: ConventionRow): Momentum {
  if (decay === undefined) return checkMomentum(momentum === undefined ? row.momentum : momentum);
  const old = checkInRange("decay", decay, 0, 1);
  return row.weighsOld ? old : 1 - old;
}

function readCorrection({ correction }: Record<string, unknown>, otherwise: { readonly correction: 0 | 1 }): 0 | 1 {
  if (correction === undefined) return otherwise.correction;
  const value = checkNumber("correction", correction);
  if (value === 0 || value === 1) return value;
  throw rangeError("ERR_BATCHNORM_VALUE", `"correction" expected 0 or 1, got ${value}`);
}

function readAxes(options: Record<string, unknown>, { layout }: ConventionRow): ChannelAxes {
  if (options.axis === undefined) options.layout ??= layout;
  return readAxis(options);
}

const configs = new WeakSet<object>();

/** Checks the options of a layer. */
export function readConfig(value: unknown): Config {
  if (typeof value === "object" && value !== null && configs.has(value)) return value as Config;
  const options = readOptions(value, NAMES);
  exclusive(options, "momentum", "decay");
  exclusive(options, "affine", "weight");
  exclusive(options, "affine", "bias");
  const { affine = true, trackRunningStats = true, reuse = false, onNonFinite = "propagate" } = options;
  const { weight = affine, bias = affine, dtype = "float32" } = options;
  const convention = checkOneOf("convention", options.convention ?? "torch", CONVENTION_NAMES);
  const row = CONVENTIONS[convention];
  const { eps = row.eps, singleValue = row.singleValue } = options;
  const config: Config = {
    convention,
    correction: readCorrection(options, row),
    onNonFinite: checkOneOf("onNonFinite", onNonFinite, ["propagate", "skip", "throw"]),
    eps: checkEps(eps),
    renorm: readRenorm(options.renorm),
    cut: readCut(options),
    momentum: readMomentum(options, row),
    weight: checkBoolean("weight" in options ? "weight" : "affine", weight),
    bias: checkBoolean("bias", bias),
    trackRunningStats: checkBoolean("trackRunningStats", trackRunningStats),
    axis: readAxes(options, row),
    dtype: checkOneOf("dtype", dtype, DTYPES),
    activation: readActivation("activation", options.activation),
    singleValue: checkOneOf("singleValue", singleValue, ["error", "allow", "running", "skip"]),
    reuse: checkBoolean("reuse", reuse),
    ...readResources(options),
  };
  if (!config.trackRunningStats && (config.singleValue === "running" || config.singleValue === "skip")) {
    throw rangeError("ERR_BATCHNORM_OPTION", `"singleValue" "${config.singleValue}" needs "trackRunningStats"`);
  }
  if (config.renorm && !config.trackRunningStats)
    throw rangeError("ERR_BATCHNORM_OPTION", `"renorm" needs "trackRunningStats"`);
  return checked(config);
}

/** The options and the momentum of an equal layer with another convention. */
export function convertConfig(
  config: Config,
  momentum: Momentum,
  to: unknown,
  given: unknown,
): { readonly config: Config; readonly momentum: Momentum } {
  const convention = checkOneOf("convention", to, CONVENTION_NAMES);
  const options = readOptions(given, ["correction"]);
  const correction = readCorrection(options, config);
  checkConvertible({ ...config, momentum }, convention, "correction" in options);
  const { weighsOld } = CONVENTIONS[convention];
  const isSame = weighsOld === CONVENTIONS[config.convention].weighsOld || momentum === null;
  const other = (value: number): number => 1 - value;
  const converted = isSame
    ? momentum
    : typeof momentum === "function"
      ? (batch: number) => other(momentum(batch))
      : other(momentum);
  return { config: checked({ ...config, convention, correction, momentum: converted }), momentum: converted };
}

/** The options of another layer have been checked already. */
export function checked(config: Config): Config {
  configs.add(config);
  return Object.freeze(config);
}
